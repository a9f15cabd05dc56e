/**
 * The same in Node.js, with `ws` and undici. Runs in the folder where these are installed. Argument: the port.
 */
import { createRequire } from "node:module";
import process from "node:process";

const require = createRequire(`${process.cwd()}/package.json`);
const { WebSocketServer } = require("ws");
const { Pool } = require("undici");

const pools = new Map();

const server = new WebSocketServer({ host: "127.0.0.1", port: Number(process.argv[2]) });
server.on("connection", (socket) => {
  socket.on("message", async (data) => {
    const { id, url, method } = JSON.parse(data);
    const { origin, pathname, search } = new URL(url);
    const pool = pools.get(origin) ?? new Pool(origin);
    pools.set(origin, pool);
    const answer = await pool.request({ path: pathname + search, method });
    const body = await answer.body.text();
    socket.send(JSON.stringify({ id, status: answer.statusCode, body }));
  });
});
