import { assertEquals } from "@std/assert";
import { type Draft, EMPTY_DRAFT } from "../../src/console/draft.ts";
import { createHistory } from "../../src/console/history.ts";
import { createStorage } from "./storage.ts";

const draft = (changes: Partial<Draft>): Draft => ({
  ...EMPTY_DRAFT,
  url: "https://a.test/",
  ...changes,
});

Deno.test("createHistory() stores a hundred different requests, newest first", () => {
  const { storage } = createStorage();
  const history = createHistory(storage);
  for (let at = 0; at < 120; at++) {
    history.add({ draft: draft({ url: `https://a.test/${at}` }), at, outcome: "200" });
  }
  history.add({ draft: draft({ url: "https://a.test/100" }), at: 200, outcome: "404" });
  const again = createHistory(storage);
  assertEquals(again.entries.length, 100);
  assertEquals(again.entries.slice(0, 2).map(({ at, outcome }) => [at, outcome]), [[200, "404"], [
    119,
    "200",
  ]]);
  assertEquals(
    again.entries.filter(({ draft: { url } }) => url === "https://a.test/100").length,
    1,
  );
  again.clear();
  assertEquals(createHistory(storage).entries, []);
});

for (
  const stored of ["", "{", "null", "[1,null,{}]", '[{"draft":{"url":1},"at":1,"outcome":""}]']
) {
  Deno.test(`createHistory() starts empty when ${JSON.stringify(stored)} is stored`, () => {
    assertEquals(createHistory(createStorage(stored).storage).entries, []);
  });
}

Deno.test("createHistory() lasts as long as the page when the storage fails", () => {
  const fails = (): never => {
    throw new DOMException("no", "QuotaExceededError");
  };
  for (const storage of [undefined, { getItem: fails, setItem: fails, removeItem: fails }]) {
    const history = createHistory(storage);
    history.add({
      draft: draft({ bodyKind: "text", bodyText: "x".repeat(9000) }),
      at: 1,
      outcome: "200",
    });
    assertEquals(history.entries.map(({ draft: { bodyText } }) => bodyText), [""]);
    history.clear();
    assertEquals(history.entries, []);
  }
});
