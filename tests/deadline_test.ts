/**
 * The deadline that `deno task test` gives each test.
 */
import { assertEquals, assertMatch, assertNotMatch } from "@std/assert";

const FIXTURE = `
  Deno.test("returns", () => {});
  Deno.test("waits", async () => {
    const timer = setInterval(() => {}, 1000);
    await new Promise(() => {});
    clearInterval(timer);
  });
  Deno.test("loops", {}, () => { for (;;); });
  Deno.test({ name: "awaits in a loop", async fn() { for (;;) await null; } });
  Deno.test({ name: "has time", timeout: 60_000 }, () =>
    new Promise((resolve) => setTimeout(resolve, 1100)));
  Deno.test(function isLast() {});
`;

Deno.test(
  "deno task test fails a test after its deadline, tells its name and place, and runs the others",
  { timeout: 60_000 },
  async () => {
    const folder = await Deno.makeTempDir();
    try {
      await Deno.writeTextFile(`${folder}/fixture_test.ts`, FIXTURE);
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["task", "test", "--no-check", `${folder}/fixture_test.ts`],
        cwd: new URL("../", import.meta.url),
        signal: AbortSignal.timeout(45_000), // without a deadline the fixture never ends
        env: { TEST_DEADLINE_MS: "1000", NO_COLOR: "1" },
      }).output();
      const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
      const text = decode(stdout) + decode(stderr);
      assertEquals(code, 1, text);
      assertMatch(text, /FAILED \| 3 passed \| 3 failed/);
      const places = [["waits", "3:8"], ["loops", "8:8"], ["awaits in a loop", "9:8"]];
      for (const [name, place] of places) {
        const failure =
          `${name} => \\S*/fixture_test\\.ts:${place}\\nerror: Test timed out after 1000ms`;
        assertMatch(text, new RegExp(failure));
      }
      assertMatch(text, /isLast \.\.\. ok/);
      assertNotMatch(text, /has time => /);
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
);
