import type { FastifyRequest, onRequestHookHandler, preHandlerHookHandler } from 'fastify'
import { ClientError } from '@roomcast/protocol'
import type { InternalConfig, KeysConfig } from './access-config.ts'
import {
  createKeyFacts,
  createSecretFacts,
  type KeyFacts,
  type SecretName,
} from './access-facts.ts'
import { openInternalAccess, openKeys, type KeySource } from './access.ts'
import { mayUseRoom, type ApiKey, type Scope } from './api-keys.ts'
import { callerOf, type InternalAccess } from './internal-access.ts'
import type { Log } from './log.ts'
import type { SecretFileFacts } from './secret-file.ts'
import type { Telemetry } from './telemetry.ts'

/** What a guarded route is given: `security` for its schema, and the hooks. */
export interface Guard {
  /** For OpenAPI. The scope stands where 3.1 has the names of roles. */
  readonly security: readonly Record<string, string[]>[]
  /** Refuses before anything of the request is read: a stranger learns nothing but that a key is needed. */
  readonly onRequest: onRequestHookHandler
  /** Refuses a key that is not for the room of the path, `:room`, as the schema read it. */
  readonly preHandler: preHandlerHookHandler
}

/** Who may do what with the HTTP API of a service. */
export interface Access {
  /**
   * The guard of a route that needs a key with this scope. A key that is bound to rooms may use it for those: for a room in the path
   * that is seen to here, else it is the handler's, by `assertRoom`. Without keys everybody may.
   */
  requireScope(scope: Scope): Guard
  /** The same for what concerns every room at a time: a key that is bound to some rooms may not. */
  requireScopeEverywhere(scope: Scope): Guard
  /** The guard of a route that reads: open, unless `READ_REQUIRES_KEY`. */
  requireToRead(scope: Scope): Guard
  requireToReadEverywhere(scope: Scope): Guard
  /** Names the key of a request that presents a good one, whether its route asks for one or not, without telling it. */
  keyOf(request: FastifyRequest): string | undefined
  /** Throws `ClientError` `forbidden` when the key of a guarded request is not for the room. */
  assertRoom(request: FastifyRequest, room: string): void
}

const keys = new WeakMap<FastifyRequest, ApiKey>()

/** The id of the key with which a guarded request came, for audits; undefined where none was needed. */
export function keyIdOf(request: FastifyRequest): string | undefined {
  return keys.get(request)?.id
}

/** Who may do what with a service, by its configuration. */
export interface Doors {
  readonly access: Access
  readonly internal: InternalAccess
  /** Whether there are no keys. */
  readonly isOpen: boolean
  close(): void
}

/**
 * Opens the keys and tokens of a service with an HTTP API. `service` is its name in the names of metrics. Rejects with `SettingsError`
 * when a file of them is not usable.
 */
export async function openDoors(
  service: string,
  config: InternalConfig & KeysConfig,
  { telemetry, log }: { readonly telemetry: Telemetry; readonly log: Log },
): Promise<Doors> {
  const secretFacts = (secret: SecretName): SecretFileFacts =>
    createSecretFacts(service, secret, { telemetry, log })
  const internal = await openInternalAccess(config, secretFacts('internal_token'))
  try {
    const keySource = await openKeys(config, secretFacts('api_keys'))
    const isOpen = keySource.current() === undefined
    const facts = createKeyFacts(service, { telemetry, isOpen })
    return {
      access: createAccess({ keySource, readRequiresKey: config.readRequiresKey, facts }),
      internal,
      isOpen,
      close() {
        keySource.close()
        internal.close()
      },
    }
  } catch (error) {
    internal.close()
    throw error
  }
}

export function createAccess({
  keySource,
  readRequiresKey,
  facts,
}: {
  readonly keySource: Pick<KeySource, 'current'>
  readonly readRequiresKey: boolean
  readonly facts: KeyFacts
}): Access {
  /** Throws `ClientError`: `unauthorized`, or `forbidden`. */
  const admit = (request: FastifyRequest, scope: Scope, isEverywhere: boolean): void => {
    const known = keySource.current()
    if (known === undefined) return
    const presented = presentedKey(request.headers.authorization)
    const key = presented === undefined ? undefined : known.find(presented)
    if (key === undefined) {
      facts.refused(presented === undefined ? 'no_key' : 'wrong_key')
      throw new ClientError('unauthorized', 'a bearer key is required')
    }
    if (!key.scopes.has(scope)) {
      facts.refused('scope')
      throw new ClientError('forbidden', `the key ${key.id} lacks the scope ${scope}`)
    }
    if (isEverywhere && key.rooms !== undefined) {
      facts.refused('room')
      throw new ClientError('forbidden', `the key ${key.id} is for some rooms alone`)
    }
    keys.set(request, key)
  }
  const assertRoom = (request: FastifyRequest, room: string): void => {
    const key = keys.get(request)
    if (key === undefined || mayUseRoom(key, room)) return
    facts.refused('room')
    throw new ClientError('forbidden', `the key ${key.id} is not for this room`)
  }
  const guard = (scope: Scope, isEverywhere: boolean): Guard => ({
    security: [{ key: [scope] }],
    onRequest: (request, _reply, next) => {
      try {
        admit(request, scope, isEverywhere)
        next()
      } catch (error) {
        next(error as ClientError)
      }
    },
    preHandler: (request, _reply, next) => {
      try {
        const { room } = request.params as { readonly room?: string }
        if (room !== undefined) assertRoom(request, room)
        next()
      } catch (error) {
        next(error as ClientError)
      }
    },
  })
  const readGuard = (scope: Scope, isEverywhere: boolean): Guard =>
    readRequiresKey ? guard(scope, isEverywhere) : OPEN
  return {
    requireScope: (scope) => guard(scope, false),
    requireScopeEverywhere: (scope) => guard(scope, true),
    requireToRead: (scope) => readGuard(scope, false),
    requireToReadEverywhere: (scope) => readGuard(scope, true),
    keyOf({ headers }) {
      const presented = presentedKey(headers.authorization)
      return presented === undefined ? undefined : keySource.current()?.find(presented)?.id
    },
    assertRoom,
  }
}

const OPEN: Guard = {
  security: [],
  onRequest: (_request, _reply, next) => next(),
  preHandler: (_request, _reply, next) => next(),
}

function presentedKey(authorization: string | undefined): string | undefined {
  return /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
}

/** An `onRequest` hook for a path of the services' own: lets in internal callers alone. */
export function requireInternal(
  internal: Pick<InternalAccess, 'admits'>,
  onRefused?: (address: string | undefined) => void,
): onRequestHookHandler {
  return ({ headers, socket }, _reply, next) => {
    if (internal.admits(callerOf(headers, socket))) {
      next()
    } else {
      onRefused?.(socket.remoteAddress)
      next(new ClientError('unauthorized', 'this is for the other services'))
    }
  }
}
