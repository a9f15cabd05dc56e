/**
 * Counters that are cheap to increment: a counter of prom-client looks its labels up for each increment, these only
 * when the metrics are rendered.
 *
 * @module
 */
import { Counter, type Registry } from "prom-client";

/** The count for one set of labels since the metrics were last rendered; callers add to it. */
export interface CounterCell {
  count: number;
}

/** A counter with labels. */
export interface LabelledCounter<Label extends string> {
  /** Returns a new cell, to be kept and incremented by the caller. Each set of labels needs one cell only. */
  cell(labels: Readonly<Record<Label, string>>): CounterCell;
}

/** Creates a {@linkcode LabelledCounter} in a registry. */
export function createCounter<Label extends string = never>(
  { name, help, labelNames = [] }: {
    readonly name: string;
    readonly help: string;
    readonly labelNames?: readonly Label[];
  },
  registry: Registry,
): LabelledCounter<Label> {
  const cells: (CounterCell & { readonly labels: Readonly<Record<Label, string>> })[] = [];
  new Counter({
    name,
    help,
    labelNames,
    registers: [registry],
    collect(): void {
      for (const cell of cells) {
        this.inc(cell.labels, cell.count);
        cell.count = 0;
      }
    },
  });
  return {
    cell(labels): CounterCell {
      const cell = { labels, count: 0 };
      cells.push(cell);
      return cell;
    },
  };
}

/** Creates a counter with one label in a registry, and returns a function that counts one for a value of the label. */
export function createCounterBy(
  { name, help, label }: { readonly name: string; readonly help: string; readonly label: string },
  registry: Registry,
): (value: string) => void {
  const counter = createCounter<string>({ name, help, labelNames: [label] }, registry);
  const cells = new Map<string, CounterCell>();
  return (value) => {
    let cell = cells.get(value);
    if (cell === undefined) cells.set(value, cell = counter.cell({ [label]: value }));
    cell.count++;
  };
}
