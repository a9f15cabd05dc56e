/**
 * An upstream for where nginx is not installed. Arguments: the port, and the folder with the bodies.
 *
 * @module
 */
const [port, folder] = Deno.args;

const bodies = new Map(
  Array.from(
    Deno.readDirSync(folder ?? "."),
    ({ name }) => [`/${name}`, Deno.readFileSync(`${folder}/${name}`)],
  ),
);

Deno.serve({ hostname: "127.0.0.1", port: Number(port) }, ({ url }) => {
  const body = bodies.get(new URL(url).pathname);
  return body === undefined
    ? new Response("Not found", { status: 404 })
    : new Response(body, { headers: { "content-type": "application/json" } });
});
