import {
  ClientError,
  MemberName,
  say as saySchema,
  type RoomId,
  type Say,
} from '@roomcast/protocol'
import { createSecretFacts, openSecretFile, type Log, type Telemetry } from '@roomcast/runtime'
import { addressOf } from '../connection-limits.ts'
import type { FailurePolicy, HooksConfig } from '../hooks-config.ts'
import { identityOf, userOf } from '../identity.ts'
import type { Member } from '../member/member.ts'
import { sessionOf, type ChatSocket } from '../sockets.ts'
import { createBackend, type Backend, type Question, type Verdict } from './backend.ts'
import { createHookFacts, type Hook } from './hook-facts.ts'
import { createQueue, type Queue } from './queue.ts'
import { parseHookSecrets } from './signature.ts'

/** `say`s of one socket that may wait for their answers. */
const SAYS_WAITING_MAX = 100

/** Asks a backend of the team's own what may be done. What is not asked about is undefined. */
export interface Hooks {
  /**
   * The name under which a socket may join: the one that it asks for, or the backend's rewrite of it. For one who is `recovered` a rewrite
   * is not looked at. Rejects with `ClientError`: `forbidden` with the backend's reason, `unavailable` or `busy` when it can not be asked.
   */
  readonly join:
    | ((socket: ChatSocket, room: RoomId, name: string, recovered?: true) => Promise<string>)
    | undefined
  /**
   * Calls `publish` with what a member may say, in the order in which a socket's messages came, else `refuse`. Throws `ClientError` `busy`
   * when too many of the socket's messages wait.
   */
  readonly say:
    | ((
        member: Member,
        content: Say,
        publish: (content: Say) => void,
        refuse: (error: ClientError) => void,
      ) => void)
    | undefined
  close(): Promise<void>
}

/** When nothing is asked about. */
export const NO_HOOKS: Hooks = { join: undefined, say: undefined, close: () => Promise.resolve() }

/** Rejects with `SettingsError` when the file of secrets is not usable. */
export async function openHooks(
  config: HooksConfig,
  {
    gateway,
    textMaxBytes,
    maxPayloadBytes,
    telemetry,
    log,
    now,
    clock,
  }: {
    readonly gateway: string
    readonly textMaxBytes: number
    readonly maxPayloadBytes: number
    readonly telemetry: Telemetry
    readonly log: Log
    readonly now: () => number
    readonly clock: () => number
  },
): Promise<Hooks> {
  const { secretFile } = config
  const file =
    secretFile === undefined
      ? { current: () => config.secrets, close: () => undefined }
      : await openSecretFile(secretFile, {
          setting: 'HOOK_SECRET_FILE',
          parse: parseHookSecrets,
          facts: createSecretFacts('gateway', 'hook_secret', { telemetry, log }),
        })
  const urls = { join: config.joinUrl, say: config.sayUrl }
  const asked = (['join', 'say'] as const).filter((hook) => urls[hook] !== undefined)
  const facts = createHookFacts({ telemetry, hooks: asked, log })
  const backendOf = (hook: Hook): Backend | undefined => {
    const url = urls[hook]
    return url === undefined
      ? undefined
      : createBackend({
          ...config,
          hook,
          url,
          gateway,
          secrets: file.current,
          // As a client's own packet: enough for the largest message with every character escaped.
          answerMaxBytes: maxPayloadBytes,
          facts,
          now,
          clock,
        })
  }
  const [joins, says] = [backendOf('join'), backendOf('say')]
  return {
    join: joins && askJoin(joins, config.failurePolicy),
    say: says && askSay(says, config.failurePolicy, textMaxBytes),
    async close() {
      file.close()
      await Promise.all([joins?.close(), says?.close()])
    },
  }
}

function askJoin(backend: Backend, policy: FailurePolicy): NonNullable<Hooks['join']> {
  return async (socket, room, name, recovered) => {
    const question: Question = {
      event: 'join',
      room,
      user: identityOf(socket)?.user ?? name,
      name,
      address: addressOf(socket.conn),
      ...(recovered === undefined ? {} : { recovered }),
    }
    const verdict = await backend.ask(question, (rewrite) =>
      rewrite['name'] === undefined ? name : MemberName.safeParse(rewrite['name']).data,
    )
    const refusal = refusalBy(verdict, policy)
    if (refusal !== undefined) throw refusal
    return verdict.kind === 'rewrite' && recovered === undefined ? verdict.rewrite : name
  }
}

function askSay(
  backend: Backend,
  policy: FailurePolicy,
  textMaxBytes: number,
): NonNullable<Hooks['say']> {
  const schema = saySchema(textMaxBytes)
  const queues = new WeakMap<ChatSocket, Queue>()
  return (member, content, publish, refuse) => {
    const { socket, room, name } = member
    let queue = queues.get(socket)
    if (queue === undefined) queues.set(socket, (queue = createQueue(SAYS_WAITING_MAX)))
    const settle = queue.enter()
    const { text, type, data } = content
    const question: Question = {
      event: 'say',
      room: room.id,
      user: userOf(member),
      name,
      address: addressOf(socket.conn),
      text,
      type,
      data,
    }
    // Of an answer's fields those that a message has count; a rewrite has not to repeat what stays.
    const read = ({ text: t, type: y, data: d }: Readonly<Record<string, unknown>>) =>
      schema.safeParse({ ...content, ...definedOf({ text: t, type: y, data: d }) }).data
    void backend.ask(question, read).then((verdict) =>
      settle(() => {
        const refusal = refusalBy(verdict, policy)
        if (refusal !== undefined) refuse(refusal)
        // He may also have been removed meanwhile.
        else if (sessionOf(socket).member !== member)
          refuse(new ClientError('not_joined', 'you left before this was allowed'))
        else publish(verdict.kind === 'rewrite' ? verdict.rewrite : content)
      }),
    )
  }
}

/** What a verdict refuses with, if it does. */
function refusalBy(verdict: Verdict<unknown>, policy: FailurePolicy): ClientError | undefined {
  switch (verdict.kind) {
    case 'allow':
    case 'rewrite':
      return undefined
    case 'deny':
      return new ClientError('forbidden', verdict.reason ?? 'this is not allowed here')
    case 'none':
      if (policy === 'allow') return undefined
      return verdict.why === 'busy'
        ? new ClientError('busy', 'too much waits for leave right now')
        : new ClientError('unavailable', 'whether this is allowed can not be asked right now')
  }
}

function definedOf(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}
