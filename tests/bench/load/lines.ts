/**
 * Lines of JSON between processes.
 *
 * @module
 */

/** Gives the lines of a stream of UTF-8, without their ends. */
export async function* readLines(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}

/**
 * Answers each line of standard input with a line, until the input ends: a process that works so ends with
 * the one that started it.
 */
export async function answerLines<Job, Answer>(
  work: (job: Job) => Promise<Answer>,
): Promise<void> {
  for await (const line of readLines(Deno.stdin.readable)) {
    const answer = await work(JSON.parse(line));
    await Deno.stdout.write(new TextEncoder().encode(`${JSON.stringify(answer)}\n`));
  }
}
