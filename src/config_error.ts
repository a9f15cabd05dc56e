/**
 * The error that stops the service from starting, or from loading its upstreams again, when settings are wrong.
 *
 * @module
 */

/** Settings are wrong. Each of `problems` is one line: the name of a setting and what is wrong with it. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly string[];

  constructor(problems: readonly string[]) {
    super(problems.join("\n"));
    this.problems = problems;
  }
}
