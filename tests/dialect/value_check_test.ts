import { assertEquals } from "@std/assert";
import {
  amountValue,
  anyValue,
  customValue,
  integerValue,
  oneOfValues,
  shortString,
  stringValue,
  toFault,
  type ValueCheck,
} from "../../src/dialect/value_check.ts";

const CASES: readonly {
  name: string;
  check: Pick<ValueCheck<unknown>, "find" | "accepts">;
  right: readonly unknown[];
  wrong: readonly (readonly [value: unknown, message: string])[];
}[] = [
  { name: "anyValue()", check: anyValue(), right: [null, 1, "", {}, []], wrong: [] },
  {
    name: "stringValue()",
    check: stringValue(),
    right: ["", "a".repeat(100_000)],
    wrong: [[1, "must be a string"], [null, "must be a string"], [["a"], "must be a string"]],
  },
  {
    name: "shortString()",
    check: shortString(3),
    right: ["", "abc"],
    wrong: [["abcd", "must be at most 3 characters"], [1, "must be a string"]],
  },
  {
    name: "oneOfValues()",
    check: oneOfValues(false, "a", "b"),
    right: [false, "a", "b"],
    wrong: [[true, 'must be false, "a" or "b"'], [null, 'must be false, "a" or "b"']],
  },
  {
    name: "oneOfValues() of one value",
    check: oneOfValues(true),
    right: [true],
    wrong: [[false, "must be true"], ["true", "must be true"], [1, "must be true"]],
  },
  {
    name: "integerValue()",
    check: integerValue(1, 9),
    right: [1, 9],
    wrong: [0, 10, 1.5, NaN, "1", 1n].map((value) => [value, "must be an integer from 1 to 9"]),
  },
  {
    name: "amountValue()",
    check: amountValue("bytes", 1),
    right: [1, 2 ** 53 - 1],
    wrong: [
      [0, "must be at least 1"],
      [-1, "must be at least 1"],
      [2 ** 53, "must be a whole number of bytes"],
      [0.5, "must be a whole number of bytes"],
      ["1", "must be a whole number of bytes"],
    ],
  },
  {
    name: "customValue()",
    check: customValue((value) => value === 1 ? undefined : toFault("must be 1"), {}),
    right: [1],
    wrong: [[2, "must be 1"]],
  },
];

for (const { name, check, right, wrong } of CASES) {
  Deno.test(`${name} finds a fault in the values that are not in the set`, () => {
    for (const value of right) {
      assertEquals([check.find(value), check.accepts(value)], [undefined, true]);
    }
    for (const [value, message] of wrong) {
      assertEquals(check.find(value), { path: [], message });
      assertEquals(check.accepts(value), false);
    }
  });
}
