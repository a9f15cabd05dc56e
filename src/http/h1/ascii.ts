/**
 * The bytes that frame HTTP/1.1 messages (RFC 9112 §2.2, RFC 9110 §5.6).
 *
 * @module
 */

/** Horizontal tab: the only control character allowed in a field value. */
export const TAB = 0x09;
/** Line feed. */
export const LF = 0x0a;
/** Carriage return. */
export const CR = 0x0d;
/** Space; all bytes below it are control characters. */
export const SPACE = 0x20;
/** Separates the name of a field from its value. */
export const COLON = 0x3a;
/** Separates the size of a chunk from its extensions. */
export const SEMICOLON = 0x3b;
/** The only control character above the space. */
export const DELETE = 0x7f;
