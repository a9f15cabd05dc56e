import { assert, assertEquals } from "@std/assert";
import {
  CLOSE_HELP,
  ERROR_HELP,
  FINAL_REFUSALS,
  findHelp,
  REFUSAL_HELP,
  SENT_HELP,
} from "../../src/console/help.ts";
import { SETTINGS } from "../../src/config/setting_docs.ts";
import { CLOSE_CODES, ERROR_CODES, HTTP_ERRORS } from "../../src/protocol/mod.ts";

const TABLES = [
  { name: "ERROR_HELP", table: ERROR_HELP, codes: ERROR_CODES },
  { name: "CLOSE_HELP", table: CLOSE_HELP, codes: CLOSE_CODES },
  { name: "REFUSAL_HELP", table: REFUSAL_HELP, codes: HTTP_ERRORS },
  { name: "SENT_HELP", table: SENT_HELP, codes: { no: 0, maybe: 0, yes: 0 } },
];
for (const { name, table, codes } of TABLES) {
  Deno.test(`${name} contains exactly the codes of the protocol`, () => {
    assertEquals(Object.keys(table).toSorted(), Object.keys(codes).toSorted());
    for (const text of Object.values(table)) assert(text.length > 10);
  });
}

Deno.test("the help names only settings that exist", () => {
  const known = new Set(SETTINGS.map(({ name }) => name));
  const texts = TABLES.flatMap(({ table }) => Object.values(table)).join(" ");
  const named = texts.match(/\b[A-Z]{2,}(?:_[A-Z]+)+\b/g) ?? [];
  assert(named.length > 5);
  assertEquals(named.filter((name) => !known.has(name)), []);
});

Deno.test("findHelp() returns undefined for a code that is not in the table", () => {
  assertEquals(findHelp(ERROR_HELP, "constructor"), undefined);
  assertEquals(findHelp(CLOSE_HELP, 4501), CLOSE_HELP[4501]);
});

Deno.test("FINAL_REFUSALS contains the refusals that would be repeated", () => {
  assertEquals([...FINAL_REFUSALS], ["bad_handshake", "unauthorized", "origin_not_allowed"]);
});
