/**
 * Runs tests of the console in Chromium, each in two window sizes. The tests of a file share a browser.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import {
  type Browser,
  chromium,
  type ConsoleMessage,
  type Locator,
  type Page,
} from "playwright-core";
import type { AppDeps } from "../../../src/app.ts";
import { LOOPBACK, type Service, startService } from "../../helpers/service.ts";
import { startTarget, type Target } from "./target.ts";

/** An open console. */
export interface Visit {
  readonly page: Page;
  readonly service: Service;
  readonly target: Target;
  /** The rows of the waterfall. */
  readonly exchanges: Locator;
  /** Enters a URL, or a path of the target, and sends the request. */
  send(url: string, options?: { mode?: string; method?: string }): Promise<void>;
  /** Fulfils when the page shows this connection state. */
  reached(state: string): Promise<void>;
}

/** How the console is opened. */
export interface VisitOptions {
  /** Settings of the service, in addition to those that allow the loopback interface. */
  readonly settings?: (target: Target) => Record<string, string>;
  readonly deps?: AppDeps;
  /** The connection state to wait for before the test. Default `open`. */
  readonly state?: string;
  /** Messages in the browser console that are allowed, such as those about failed handshakes. */
  readonly expected?: RegExp;
  readonly sizes?: readonly SizeName[];
  /** The path of the page. Default `/`. */
  readonly path?: string;
}

/** Registers a test for each window size. */
export type ConsoleTest = (
  name: string,
  run: (visit: Visit) => Promise<void>,
  options?: VisitOptions,
) => void;

/** The name of a window size. */
export type SizeName = keyof typeof SIZES;

/** The window sizes. */
export const SIZES = {
  "360 px": { width: 360, height: 740 },
  "1920 px": { width: 1920, height: 1080 },
} as const;

const CHROMIUM = "/usr/bin/chromium";
const TIMEOUT_MS = 15_000;
const SIZE_NAMES: readonly SizeName[] = ["360 px", "1920 px"];

/** Returns a function that registers tests. They share a browser, its pages and, unless they have settings, a service. */
export function createConsoleTest(): ConsoleTest {
  const ignore = !hasChromium();
  // Shared, since pages and services take longer to start than most tests run.
  const pages = new Map<SizeName, Page>();
  let browser: Browser | undefined;
  let shared: Place | undefined;
  // deno-lint-ignore no-console -- reports what was not tested
  if (ignore) console.log(`There is no ${CHROMIUM}: the console is not tested in it`);
  Deno.test.afterAll(async () => {
    await browser?.close();
    await shared?.[Symbol.asyncDispose]();
  });

  async function openPage(size: SizeName): Promise<Page> {
    browser ??= await launch();
    const context = await browser.newContext({
      viewport: SIZES[size],
      permissions: ["clipboard-read", "clipboard-write"],
    });
    context.setDefaultTimeout(TIMEOUT_MS);
    const page = await context.newPage();
    pages.set(size, page);
    return page;
  }

  async function runTest(plan: VisitPlan): Promise<void> {
    const { size, settings } = plan;
    const page = pages.get(size) ?? await openPage(size);
    // The page is not reused if the test fails.
    pages.delete(size);
    if (settings === undefined) await visit(page, shared ??= startPlace(plan), plan);
    else {
      await using own = startPlace(plan);
      await visit(page, own, plan);
    }
    pages.set(size, page);
  }

  return (name, run, options = {}) => {
    for (const size of options.sizes ?? SIZE_NAMES) {
      Deno.test({
        name: `${name}, at ${size}`,
        ignore,
        timeout: 180_000, // a browser on a busy machine
        fn: () => runTest({ ...options, size, run }),
      });
    }
  };
}

interface Place extends AsyncDisposable {
  readonly service: Service;
  readonly target: Target;
}

function startPlace({ settings = () => ({}), deps = {} }: VisitOptions): Place {
  const target = startTarget();
  const service = startService({ ...LOOPBACK, ...settings(target) }, deps);
  return {
    service,
    target,
    async [Symbol.asyncDispose](): Promise<void> {
      await service[Symbol.asyncDispose]();
      await target[Symbol.asyncDispose]();
    },
  };
}

interface VisitPlan extends VisitOptions {
  readonly size: SizeName;
  run(visit: Visit): Promise<void>;
}

async function visit(page: Page, { service, target }: Place, plan: VisitPlan): Promise<void> {
  const { state = "open", expected, path = "/", run } = plan;
  const complaints: string[] = [];
  const onConsole = (message: ConsoleMessage): void => void complaints.push(message.text());
  const onError = (error: Error): void => void complaints.push(error.message);
  page.on("console", onConsole).on("pageerror", onError);
  const reached = (name: string): Promise<void> =>
    page.locator(`#status[data-state="${name}"]`).waitFor();
  await page.goto(service.origin + path);
  await reached(state);
  await run({
    page,
    service,
    target,
    reached,
    exchanges: page.getByRole("listbox", { name: "Exchanges" }).getByRole("option"),
    async send(url, { mode, method } = {}): Promise<void> {
      if (method !== undefined) await page.locator("#method").selectOption(method);
      if (mode !== undefined) await page.locator("#mode").selectOption(mode);
      await page.locator("#url").fill(url.startsWith("/") ? target.origin + url : url);
      await page.locator("#url").press("Control+Enter");
    },
  });
  const wrong = complaints.filter((text) => expected?.test(text) !== true);
  assertEquals(wrong, [], "the browser console is empty");
  const overflow = "document.documentElement.scrollWidth - innerWidth";
  assertEquals(await page.evaluate<number>(overflow), 0, "nothing overflows the page");
  await page.evaluate("localStorage.clear()");
  page.off("console", onConsole).off("pageerror", onError);
  // Otherwise navigating to another fragment would not reload the page.
  await page.goto("about:blank");
}

function launch(): Promise<Browser> {
  // Software rendering of a GPU is slow.
  const args = ["--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP *.test 127.0.0.1"];
  return chromium.launch({
    executablePath: CHROMIUM,
    args,
    // These handlers would keep the test process alive after a signal. The browser exits with its pipe anyway.
    handleSIGHUP: false,
    handleSIGINT: false,
    handleSIGTERM: false,
  });
}

function hasChromium(): boolean {
  try {
    return Deno.statSync(CHROMIUM).isFile;
  } catch {
    return false;
  }
}
