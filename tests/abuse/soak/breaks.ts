/**
 * Breaks of a soak, in which no exchange is in flight: what the service then keeps, it keeps of exchanges that have
 * ended.
 *
 * @module
 */

/** Lets exchanges and breaks take turns. */
export class Breaks {
  #underWay = 0;
  #break: PromiseWithResolvers<void> | undefined = undefined;
  #quiet: PromiseWithResolvers<void> | undefined = undefined;

  /** Makes an exchange, after the break if there is one. */
  async exchange(make: () => Promise<void>): Promise<void> {
    while (this.#break !== undefined) await this.#break.promise;
    this.#underWay++;
    try {
      await make();
    } finally {
      if (--this.#underWay === 0) this.#quiet?.resolve();
    }
  }

  /** Starts a break, and ends it when `action` has ended, which begins when no exchange is under way. */
  async take<Result>(action: () => Promise<Result>): Promise<Result> {
    this.#break = Promise.withResolvers();
    this.#quiet = Promise.withResolvers();
    if (this.#underWay === 0) this.#quiet.resolve();
    await this.#quiet.promise;
    try {
      return await action();
    } finally {
      this.#break.resolve();
      this.#break = this.#quiet = undefined;
    }
  }
}
