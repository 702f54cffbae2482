import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One request of a hook, to be answered. */
export interface Asked {
  readonly headers: IncomingHttpHeaders
  /** As it came. */
  readonly text: string
  readonly body: Readonly<Record<string, unknown>>
  readonly res: ServerResponse
  answer(answer: unknown, status?: number): void
}

/** A backend as a team would write one, on a port of its own. */
export interface HookBackend extends AsyncDisposable {
  readonly url: string
  /** Every request so far. */
  readonly asked: readonly Asked[]
  /** What becomes of the requests from now on; by default they are allowed. */
  decide(decision: (asked: Asked) => void): void
}

export async function startHookBackend(): Promise<HookBackend> {
  const asked: Asked[] = []
  const allow = (one: Asked): void => one.answer({ allow: true })
  let decision = allow
  const server = createServer((req, res) => {
    let text = ''
    req.setEncoding('utf8')
    req.on('data', (chunk: string) => (text += chunk))
    req.on('end', () => {
      const one: Asked = {
        headers: req.headers,
        text,
        body: JSON.parse(text) as Record<string, unknown>,
        res,
        answer(answer, status = 200) {
          res.writeHead(status, { 'content-type': 'application/json' })
          res.end(JSON.stringify(answer))
        },
      }
      asked.push(one)
      decision(one)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    decide: (next) => (decision = next),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
