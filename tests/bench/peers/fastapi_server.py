"""The same in Python, with FastAPI and requests in its thread pool. Argument: the port."""

import asyncio
import json
import sys

import requests
import uvicorn
from fastapi import FastAPI, WebSocket, WebSocketDisconnect
from fastapi.concurrency import run_in_threadpool

app = FastAPI()


@app.websocket("/ws")
async def proxy(socket: WebSocket) -> None:
    await socket.accept()
    tasks = set()

    async def exchange(text: str) -> None:
        request = json.loads(text)
        answer = await run_in_threadpool(requests.request, request["method"], request["url"])
        body = {"id": request["id"], "status": answer.status_code, "body": answer.text}
        await socket.send_text(json.dumps(body))

    try:
        while True:
            task = asyncio.create_task(exchange(await socket.receive_text()))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
    except WebSocketDisconnect:
        for task in tasks:
            task.cancel()


uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
