/**
 * The least that a WebSocket-to-HTTP proxy in Deno can do, as a measure: no checks, no limits, no log. With
 * `"stream": true` in a request its body's chunks go out as they come. Argument: the port.
 *
 * @module
 */
Deno.serve({ hostname: "127.0.0.1", port: Number(Deno.args[0]) }, (request) => {
  const { socket, response } = Deno.upgradeWebSocket(request);
  socket.onmessage = async ({ data }) => {
    const { id, url, method, stream } = JSON.parse(data);
    const answer = await fetch(url, { method });
    if (stream) {
      for await (const chunk of answer.body ?? []) socket.send(chunk);
    } else {
      const body = await answer.text();
      socket.send(JSON.stringify({ id, status: answer.status, body }));
    }
  };
  return response;
});
