import { connectRaw, rawFrame, TEXT, HANDSHAKE } from "../helpers/raw_client.ts";
import { startProcess } from "../helpers/process.ts";
import { readPid } from "./proc.ts";
