/**
 * The bytes that HTTP/1.1 is framed with (RFC 9112 §2.2, RFC 9110 §5.6).
 *
 * @module
 */

/** Horizontal tab. */
export const TAB = 0x09;
/** Line feed. */
export const LF = 0x0a;
/** Carriage return. */
export const CR = 0x0d;
/** Below it are control characters only. */
export const SPACE = 0x20;
/** Between the size of a chunk and an extension. */
export const SEMICOLON = 0x3b;
/** The one control character above the space. */
export const DELETE = 0x7f;
