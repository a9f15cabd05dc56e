/**
 * The grammar of HTTP methods and header fields, which clients and servers check alike.
 *
 * @module
 */

/** A token (RFC 9110 §5.6.2): the form of a method and of a field name. */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * A field value (RFC 9110 §5.5) in which each character stands for one byte: no CR, LF, NUL or other
 * control character, and no character beyond U+00FF. May be empty.
 */
// deno-lint-ignore no-control-regex -- the tab is the only control character allowed
export const FIELD_VALUE = /^[\x09\x20-\x7e\x80-\xff]*$/;

/** Reports whether a text is a token (RFC 9110 §5.6.2), such as a method or a field name. */
export function isToken(text: string): boolean {
  return TOKEN.test(text);
}

/** Reports whether a text is a field value (RFC 9110 §5.5); an empty text is one. */
export function isFieldValue(text: string): boolean {
  return FIELD_VALUE.test(text);
}
