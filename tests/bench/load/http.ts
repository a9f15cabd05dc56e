/**
 * HTTP/1.1 as bytes: requests ready to be sent, responses counted.
 *
 * @module
 */

const HEAD_END = "\r\n\r\n";

/** Gives a GET request for a URL, to be sent to a proxy in front of it. */
export function createHttpRequest(url: string): Uint8Array<ArrayBuffer> {
  const { host, pathname, search } = new URL(url);
  return new TextEncoder().encode(`GET ${pathname}${search} HTTP/1.1\r\nhost: ${host}${HEAD_END}`);
}

/**
 * Creates what takes the bytes of a server as they come, and tells the status of each response that is complete, and
 * the size of its body.
 * Responses have to have a `content-length`.
 */
export function createResponseReader(
  onResponse: (status: number, bodyBytes: number) => void,
): (bytes: Uint8Array) => void {
  const decoder = new TextDecoder("latin1");
  let head = "";
  let missing = -1; // of the body; -1: the head is not complete
  let length = 0; // of the body
  let status = 0;

  /** Gives how many of the bytes belong to the head. */
  function takeHead(bytes: Uint8Array): number {
    const before = head.length;
    head += decoder.decode(bytes);
    const end = head.indexOf(HEAD_END);
    if (end < 0) return bytes.length;
    status = Number(head.slice(9, 12)); // behind "HTTP/1.1 "
    const field = /\r\ncontent-length: *(\d+)/i.exec(head.slice(0, end))?.[1];
    if (field === undefined) throw new Error("The response has no content-length");
    length = missing = Number(field);
    head = "";
    return end + HEAD_END.length - before;
  }

  return (bytes) => {
    let at = 0;
    while (at < bytes.length) {
      if (missing < 0) at += takeHead(bytes.subarray(at));
      const part = Math.min(Math.max(missing, 0), bytes.length - at);
      at += part;
      if (missing < 0) continue;
      missing -= part;
      if (missing > 0) continue;
      missing = -1;
      onResponse(status, length);
    }
  };
}
