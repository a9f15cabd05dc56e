/**
 * Counters that cost next to nothing to count with: prom-client looks a label set up at every count, this
 * only when the counters are asked for.
 *
 * @module
 */
import { Counter, type Registry } from "prom-client";

/** What was counted for one set of labels and not handed on yet. */
export interface Cell {
  count: number;
}

/** A counter. */
export interface Tally<Label extends string> {
  /** Gives what to count with for these labels; to be kept by the caller, one for each set of labels. */
  cell(labels: Readonly<Record<Label, string>>): Cell;
}

/** What a counter is called. */
export interface TallyOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly Label[];
}

/** Creates a {@linkcode Tally} that is shown in a registry. */
export function createTally<Label extends string = never>(
  options: TallyOptions<Label>,
  registry: Registry,
): Tally<Label> {
  const cells: (Cell & { readonly labels: Readonly<Record<Label, string>> })[] = [];
  new Counter({
    ...options,
    registers: [registry],
    collect(): void {
      for (const cell of cells) {
        this.inc(cell.labels, cell.count);
        cell.count = 0;
      }
    },
  });
  return {
    cell(labels): Cell {
      const cell = { labels, count: 0 };
      cells.push(cell);
      return cell;
    },
  };
}

/** Creates a counter with one label, and gives what counts one by the value of that label. */
export function createCountBy<Label extends string>(
  { label, ...options }: Omit<TallyOptions<Label>, "labelNames"> & { readonly label: Label },
  registry: Registry,
): (value: string) => void {
  const tally = createTally<string>({ ...options, labelNames: [label] }, registry);
  const cells = new Map<string, Cell>();
  return (value) => {
    let cell = cells.get(value);
    if (cell === undefined) cells.set(value, cell = tally.cell({ [label]: value }));
    cell.count++;
  };
}
