/**
 * The log of a running service, as it is written.
 *
 * @module
 */

/** A line of the log. */
export type LogLine = Readonly<Record<string, unknown>>;

/** The lines so far, and those to come. */
export interface Log {
  readonly lines: readonly LogLine[];
  /** Takes a line of JSON. */
  write(text: string): void;
  /** Fulfils with the first line, past or to come, that fits. */
  logged(event: string, fits?: (line: LogLine) => boolean): Promise<LogLine>;
}

/** Creates an empty {@linkcode Log}. */
export function createLog(): Log {
  const lines: LogLine[] = [];
  const watchers = new Set<(line: LogLine) => void>();
  return {
    lines,
    write(text): void {
      const line: LogLine = JSON.parse(text);
      lines.push(line);
      for (const watch of watchers) watch(line);
    },
    logged(event, fits = () => true): Promise<LogLine> {
      const isIt = (line: LogLine): boolean => line.event === event && fits(line);
      const past = lines.find(isIt);
      if (past !== undefined) return Promise.resolve(past);
      const { promise, resolve } = Promise.withResolvers<LogLine>();
      const watch = (line: LogLine): void => {
        if (!isIt(line)) return;
        watchers.delete(watch);
        resolve(line);
      };
      watchers.add(watch);
      return promise;
    },
  };
}
