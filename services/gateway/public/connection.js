import { retryDelayMs } from './backoff.js'
import { currentToken } from './token.js'

const ASK_TIMEOUT_MS = 5_000
/** How long the state says that a lost connection came back without a loss. */
const RECOVERED_SHOWN_MS = 3_000

/** A request that was not served: the server's refusal, or `timeout`, or `disconnected`. */
export class Refused extends Error {
  constructor({ code, message, retryAfterMs }) {
    super(message)
    this.code = code
    this.retryAfterMs = retryAfterMs
  }

  /** Whether the same request may succeed later: servers send `retryAfterMs` exactly then. */
  get isPassing() {
    return (
      this.retryAfterMs !== undefined || this.code === 'timeout' || this.code === 'disconnected'
    )
  }
}

/**
 * Membership of one room over one Socket.IO connection. It comes back by itself, until the server refuses it for good.
 *
 * `on` has
 * - `state(state)`: connecting, live, recovered, reconnecting, offline or refused;
 * - `joining()`: from now on messages may be of a new membership;
 * - `joined({username, online, offset, user, readOnly})`: a new membership, what was missed before it is not on its way;
 * - `resumed()`: the same membership again, what was missed is on its way;
 * - `broken()`: nothing can be asked until one of the two;
 * - `message(message, offset)`: as the server sent it;
 * - `refused(refused)`: the server does not want this connection or this name;
 * - `closed()`: the server ended the connection, `reopen()` may try again.
 */
export function openConnection({ room, username, on }) {
  const socket = window.io(location.origin, {
    query: { roomid: room },
    forceNew: true,
    // Asked for at each attempt: a token may have been renewed.
    auth: (give) => give(currentToken() === undefined ? {} : { token: currentToken() }),
  })
  let isMember = false
  let wasLive = false
  let isRefused = false
  let hasExpired = false
  let recoveredTimer
  let joining = 0

  socket.on('connect', () => {
    hasExpired = false
    // Recovered before the first join was answered: the server answers the same join again.
    if (socket.recovered && wasLive) {
      isMember = true
      clearTimeout(recoveredTimer)
      recoveredTimer = setTimeout(() => {
        recoveredTimer = undefined
        showState()
      }, RECOVERED_SHOWN_MS)
      showState()
      on.resumed()
    } else {
      void join()
    }
  })
  socket.on('disconnect', (reason) => {
    lose()
    if (reason === 'io server disconnect') {
      isRefused = true
      on.closed()
    }
    showState()
  })
  socket.on('connect_error', (error) => {
    if (socket.active) {
      showState()
    } else {
      const isOver = hasExpired && error.data?.code === 'unauthorized'
      const code = isOver ? 'token_expired' : error.data?.code
      refuse(new Refused({ code, message: error.message }))
    }
  })
  socket.on('message', (message, offset) => {
    if (message?.event === 'error' && message.data.code === 'token_expired') hasExpired = true
    on.message(message, offset)
  })

  /** Emits an event with an acknowledgement; resolves to the answer, rejects with `Refused`. Never waits for a connection. */
  function ask(event, request) {
    return new Promise((resolve, reject) => {
      if (!socket.connected) {
        reject(new Refused({ code: 'disconnected', message: 'not connected' }))
        return
      }
      socket.timeout(ASK_TIMEOUT_MS).emit(event, request, (error, answer) => {
        if (error) {
          const code = socket.connected ? 'timeout' : 'disconnected'
          reject(new Refused({ code, message: error.message }))
        } else if (answer?.ok) {
          resolve(answer)
        } else {
          reject(new Refused(answer ?? { code: 'internal', message: 'no answer' }))
        }
      })
    })
  }

  async function join() {
    const turn = ++joining
    const isCurrent = () => turn === joining
    isMember = false
    showState()
    on.joining()
    for (let attempt = 1; isCurrent(); attempt++) {
      try {
        const answer = await ask('join', { username })
        if (!isCurrent()) return
        isMember = true
        wasLive = true
        showState()
        on.joined(answer)
        return
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        if (!isCurrent() || error.code === 'disconnected') return
        if (!error.isPassing) {
          refuse(error)
          return
        }
        await new Promise((resolve) => setTimeout(resolve, retryDelayMs(error, attempt)))
      }
    }
  }

  function lose() {
    joining++
    isMember = false
    clearTimeout(recoveredTimer)
    recoveredTimer = undefined
    on.broken()
  }

  function refuse(refused) {
    isRefused = true
    showState()
    close()
    on.refused(refused)
  }

  function showState() {
    on.state(state())
  }

  function state() {
    if (isRefused) return 'refused'
    if (isMember) return recoveredTimer === undefined ? 'live' : 'recovered'
    if (!navigator.onLine && !socket.connected) return 'offline'
    return wasLive ? 'reconnecting' : 'connecting'
  }

  /** The network or the person is back: don't sit out the rest of a backoff. Session and offset stay with the socket. */
  function hurry() {
    if (
      socket.active &&
      !socket.connected &&
      navigator.onLine &&
      document.visibilityState === 'visible'
    ) {
      socket.disconnect().connect()
    }
    showState()
  }

  function close() {
    removeEventListener('online', hurry)
    removeEventListener('offline', showState)
    document.removeEventListener('visibilitychange', hurry)
    clearTimeout(recoveredTimer)
    joining++
    socket.off()
    socket.disconnect()
  }

  addEventListener('online', hurry)
  addEventListener('offline', showState)
  document.addEventListener('visibilitychange', hurry)
  showState()

  return {
    ask,
    get isMember() {
      return isMember
    },
    /** Joins again: the server no longer knows the member that this page still believes to be. */
    rejoin() {
      if (socket.connected && isMember) {
        lose()
        void join()
      }
    },
    /** After `closed`. */
    reopen() {
      isRefused = false
      socket.connect()
      showState()
    },
    close,
  }
}
