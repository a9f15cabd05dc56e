/**
 * The source text of the console, which the service serves to browsers: page, style sheet and modules.
 *
 * @module
 */
import consoleStyle from "./console/console.css" with { type: "text" };
import consolePage from "./console/index.html" with { type: "text" };
import consoleAccessView from "./console/access_view.ts" with { type: "text" };
import consoleBodyClass from "./console/body_class.ts" with { type: "text" };
import consoleBodyStore from "./console/body_store.ts" with { type: "text" };
import consoleBodyView from "./console/body_view.ts" with { type: "text" };
import consoleConnectionView from "./console/connection_view.ts" with { type: "text" };
import consoleCopyAs from "./console/copy_as.ts" with { type: "text" };
import consoleCopyCurl from "./console/copy_curl.ts" with { type: "text" };
import consoleCredentials from "./console/credentials.ts" with { type: "text" };
import consoleCreditMeter from "./console/credit_meter.ts" with { type: "text" };
import consoleDialogs from "./console/dialogs.ts" with { type: "text" };
import consoleDom from "./console/dom.ts" with { type: "text" };
import consoleDraft from "./console/draft.ts" with { type: "text" };
import consoleEventsView from "./console/events_view.ts" with { type: "text" };
import consoleExchangeController from "./console/exchange_controller.ts" with { type: "text" };
import consoleExchangeStore from "./console/exchange_store.ts" with { type: "text" };
import consoleExchangesView from "./console/exchanges_view.ts" with { type: "text" };
import consoleFailureView from "./console/failure_view.ts" with { type: "text" };
import consoleFieldProblemsView from "./console/field_problems_view.ts" with { type: "text" };
import consoleFieldsView from "./console/fields_view.ts" with { type: "text" };
import consoleFormat from "./console/format.ts" with { type: "text" };
import consoleFrameList from "./console/frame_list.ts" with { type: "text" };
import consoleFrameLog from "./console/frame_log.ts" with { type: "text" };
import consoleFramesView from "./console/frames_view.ts" with { type: "text" };
import consoleHandshake from "./console/handshake.ts" with { type: "text" };
import consoleHeaderRows from "./console/header_rows.ts" with { type: "text" };
import consoleHelp from "./console/help.ts" with { type: "text" };
import consoleHexDump from "./console/hex_dump.ts" with { type: "text" };
import consoleHistory from "./console/history.ts" with { type: "text" };
import consoleHistoryView from "./console/history_view.ts" with { type: "text" };
import consoleJsonLayout from "./console/json_layout.ts" with { type: "text" };
import consoleJsonText from "./console/json_text.ts" with { type: "text" };
import consoleJsonView from "./console/json_view.ts" with { type: "text" };
import consoleMain from "./console/main.ts" with { type: "text" };
import consoleRateMeter from "./console/rate_meter.ts" with { type: "text" };
import consoleRequestView from "./console/request_view.ts" with { type: "text" };
import consoleResponseSummary from "./console/response_summary.ts" with { type: "text" };
import consoleResponseView from "./console/response_view.ts" with { type: "text" };
import consoleSendRequest from "./console/send_request.ts" with { type: "text" };
import consoleSession from "./console/session.ts" with { type: "text" };
import consoleShare from "./console/share.ts" with { type: "text" };
import consoleSocketObserver from "./console/socket_observer.ts" with { type: "text" };
import consoleSplitter from "./console/splitter.ts" with { type: "text" };
import consoleTabs from "./console/tabs.ts" with { type: "text" };
import consoleTextView from "./console/text_view.ts" with { type: "text" };
import consoleTimingView from "./console/timing_view.ts" with { type: "text" };
import consoleVirtualList from "./console/virtual_list.ts" with { type: "text" };
import consoleWaterfall from "./console/waterfall.ts" with { type: "text" };

/** The TypeScript source of each module, by its path below `src`. */
export const CONSOLE_SOURCES: Readonly<Record<string, string>> = {
  "console/access_view.ts": consoleAccessView,
  "console/body_class.ts": consoleBodyClass,
  "console/body_store.ts": consoleBodyStore,
  "console/body_view.ts": consoleBodyView,
  "console/connection_view.ts": consoleConnectionView,
  "console/copy_as.ts": consoleCopyAs,
  "console/copy_curl.ts": consoleCopyCurl,
  "console/credentials.ts": consoleCredentials,
  "console/credit_meter.ts": consoleCreditMeter,
  "console/dialogs.ts": consoleDialogs,
  "console/dom.ts": consoleDom,
  "console/draft.ts": consoleDraft,
  "console/events_view.ts": consoleEventsView,
  "console/exchange_controller.ts": consoleExchangeController,
  "console/exchange_store.ts": consoleExchangeStore,
  "console/exchanges_view.ts": consoleExchangesView,
  "console/failure_view.ts": consoleFailureView,
  "console/field_problems_view.ts": consoleFieldProblemsView,
  "console/fields_view.ts": consoleFieldsView,
  "console/format.ts": consoleFormat,
  "console/frame_list.ts": consoleFrameList,
  "console/frame_log.ts": consoleFrameLog,
  "console/frames_view.ts": consoleFramesView,
  "console/handshake.ts": consoleHandshake,
  "console/header_rows.ts": consoleHeaderRows,
  "console/help.ts": consoleHelp,
  "console/hex_dump.ts": consoleHexDump,
  "console/history.ts": consoleHistory,
  "console/history_view.ts": consoleHistoryView,
  "console/json_layout.ts": consoleJsonLayout,
  "console/json_text.ts": consoleJsonText,
  "console/json_view.ts": consoleJsonView,
  "console/main.ts": consoleMain,
  "console/rate_meter.ts": consoleRateMeter,
  "console/request_view.ts": consoleRequestView,
  "console/response_summary.ts": consoleResponseSummary,
  "console/response_view.ts": consoleResponseView,
  "console/send_request.ts": consoleSendRequest,
  "console/session.ts": consoleSession,
  "console/share.ts": consoleShare,
  "console/socket_observer.ts": consoleSocketObserver,
  "console/splitter.ts": consoleSplitter,
  "console/tabs.ts": consoleTabs,
  "console/text_view.ts": consoleTextView,
  "console/timing_view.ts": consoleTimingView,
  "console/virtual_list.ts": consoleVirtualList,
  "console/waterfall.ts": consoleWaterfall,
};

/** The page of the console, and everything that it loads. */
export const CONSOLE_PARTS = {
  page: consolePage,
  style: consoleStyle,
  sources: CONSOLE_SOURCES,
} as const;
