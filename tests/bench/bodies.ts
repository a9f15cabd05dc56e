/**
 * The bodies that are asked for.
 *
 * @module
 */

/** The sizes of bodies, in bytes. */
export const BODY_BYTES = [200, 10_240, 1_048_576] as const;

/** Returns a JSON array of records such as an API sends, filled up to the size; ASCII, as `JSON.stringify` writes it. */
export function createBody(size: number): string {
  const record = (id: number): string =>
    JSON.stringify({ id, name: `Item ${id}`, price: 12.5, tags: ["a", "b"], available: true });
  let text = `[${record(0)}`;
  for (let id = 1; text.length + record(id).length + 20 < size; id++) text += `,${record(id)}`;
  return `${text},"${"x".repeat(size - text.length - 4)}"]`;
}
