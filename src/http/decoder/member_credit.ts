/**
 * Limits how many parts of a coded body decode to nothing.
 *
 * @module
 */
import { nearlyEmpty } from "../failures.ts";

const MAX_EMPTY_MEMBERS = 1024;

/**
 * Counts the members of one body: those of gzip, and the frames of Zstandard. A body may have 1024 members in a row that
 * decode to nothing, and any number with a byte or more in each, as in a stream with a member for each event. No ratio
 * above that is required: a member of ten coded bytes can decode to hundreds, so that one would not limit the work.
 */
export class MemberCredit {
  /** Negative once the last member is one too many if it is empty. */
  #left = MAX_EMPTY_MEMBERS;

  /**
   * Called before each member.
   *
   * @throws {ProxyError} `http_response_content_coding` when too many members before it were empty.
   */
  take(): void {
    if (this.#left < 0) throw nearlyEmpty(MAX_EMPTY_MEMBERS);
    this.#left--;
  }

  /** Called with the number of bytes that were decoded: each pays for one member. Credit beyond 1024 is lost. */
  add(decodedBytes: number): void {
    this.#left = Math.min(MAX_EMPTY_MEMBERS, this.#left + decodedBytes);
  }
}
