import { assertEquals } from "@std/assert";
import { isFieldValue, isToken } from "../../src/protocol/grammar.ts";

const TOKEN_CHARACTERS = "!#$%&'*+-.^_`|~" +
  "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

Deno.test("isToken() accepts the characters of RFC 9110 §5.6.2 and no other", () => {
  for (let code = 0; code <= 0x2ff; code++) {
    const character = String.fromCharCode(code);
    assertEquals(isToken(character), TOKEN_CHARACTERS.includes(character), `U+${code}`);
    assertEquals(isToken(`GET${character}GET`), isToken(character), `U+${code}`);
  }
  assertEquals(isToken(""), false);
});

Deno.test("isFieldValue() accepts tabs, visible ASCII, spaces and bytes from 0x80, and nothing else", () => {
  for (let code = 0; code <= 0x2ff; code++) {
    const isAllowed = code === 9 || (code >= 0x20 && code <= 0xff && code !== 0x7f);
    assertEquals(isFieldValue(`a${String.fromCharCode(code)}b`), isAllowed, `U+${code}`);
  }
  assertEquals(isFieldValue(""), true);
});
