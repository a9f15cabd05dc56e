/**
 * Work that takes too long for one turn of the event loop: done in steps, one piece of work after the other.
 *
 * @module
 */
import type { Turns } from "./turns.ts";

/** A piece of work. */
export interface Job {
  /** For whom the work is done. Those who have work at the same time get equal shares. */
  readonly owner: string;
  /** How much work it is, in any unit that all jobs have in common. */
  readonly size: number;
  /** Becomes aborted when the result is no longer needed. */
  readonly signal: AbortSignal;
}

interface QueuedJob {
  readonly owner: string;
  /** Jobs are done in this order. */
  readonly order: number;
  readonly start: () => void;
}

/**
 * Does jobs one after the other, so that only one of them holds intermediate results. A short job waits for no long jobs
 * of another owner but the one that is being done.
 */
export class LongWork {
  readonly #turns: Turns;
  /** The job that is being done, and those that wait. */
  readonly #jobs: QueuedJob[] = [];
  /** The order of the job that was started last. */
  #reached = 0;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /**
   * Does a job. Fulfils with its result, or with `undefined` as soon as the job's signal is aborted.
   *
   * @param steps The work, which yields between steps of a few milliseconds at most. None is made before the call.
   */
  async run<Result>(
    steps: Iterator<undefined, Result>,
    job: Job,
  ): Promise<Result | undefined> {
    const { signal } = job;
    const queued = await this.#enter(job);
    try {
      while (!signal.aborted) {
        await this.#turns.next();
        do {
          if (signal.aborted) break;
          const { done, value } = steps.next();
          if (done === true) return value;
        } while (this.#turns.hasTime);
      }
      return undefined;
    } finally {
      this.#leave(queued);
    }
  }

  /** Fulfils when it is the job's turn. */
  #enter({ owner, size }: Job): Promise<QueuedJob> {
    // An owner's jobs follow each other as if the others had work all the time (start-time fair queueing).
    let order = this.#reached;
    for (const job of this.#jobs) if (job.owner === owner) order = Math.max(order, job.order);
    return new Promise((resolve) => {
      const queued: QueuedJob = { owner, order: order + size, start: () => resolve(queued) };
      this.#jobs.push(queued);
      if (this.#jobs.length === 1) this.#start(queued);
    });
  }

  #leave(job: QueuedJob): void {
    this.#jobs.splice(this.#jobs.indexOf(job), 1);
    const [first, ...others] = this.#jobs;
    if (first === undefined) return;
    this.#start(others.reduce((next, other) => other.order < next.order ? other : next, first));
  }

  #start(job: QueuedJob): void {
    this.#reached = job.order;
    job.start();
  }
}
