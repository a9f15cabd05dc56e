/**
 * Maps of bounded size that forget the oldest entry first.
 *
 * @module
 */

/** Sets an entry as the newest of a map. If the map then has more than `max` entries, the oldest is deleted. */
export function setNewest<Key, Value>(
  map: Map<Key, Value>,
  [key, value]: readonly [Key, Value],
  max: number,
): void {
  map.delete(key); // an entry that is only replaced keeps its place in the order
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > max && oldest !== undefined) map.delete(oldest);
}
