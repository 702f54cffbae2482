import { createClientId } from './client-id.js'
import { retryDelayMs } from './backoff.js'
import { refusalWords, t } from './language.js'

/**
 * Own messages on their way to the log: one at a time and in order, so a message never overtakes the one before it.
 * Each has one id for all attempts, on which the server recognises a repeated one. A refusal that may pass, a missing
 * answer and a lost connection are tried again until the log has it; any other refusal waits for the person.
 */
export function createOutbox({ connection, timeline, changed }) {
  let isSending = false
  let isClosed = false
  let retryTimer
  let attempt = 0

  async function pump() {
    if (isSending || isClosed || retryTimer !== undefined || !connection.isMember) return
    const entry = timeline.waiting.find(({ state }) => state === 'pending')
    if (entry === undefined) return
    isSending = true
    try {
      const { offset } = await connection.ask('say', { text: entry.text, id: entry.id })
      timeline.confirm(entry.id, offset)
      attempt = 0
    } catch (refused) {
      // Its broadcast came before an answer did: the log has it.
      if (timeline.waiting.includes(entry)) refuse(entry, refused)
    } finally {
      isSending = false
    }
    if (isClosed) return
    changed()
    void pump()
  }

  function refuse(entry, refused) {
    if (refused.code === 'disconnected') return
    attempt++
    if (refused.code === 'not_joined' && attempt === 1) {
      connection.rejoin()
    } else if (refused.isPassing) {
      if (attempt > 1 || refused.code === 'timeout') entry.note = t('pendingRetry')
      retryTimer = setTimeout(resume, retryDelayMs(refused, attempt))
    } else {
      attempt = 0
      entry.state = 'failed'
      entry.note = refusalWords(refused)
    }
  }

  function resume() {
    clearTimeout(retryTimer)
    retryTimer = undefined
    void pump()
  }

  return {
    say(text) {
      timeline.addOwn(createClientId(), text, Date.now())
      changed()
      void pump()
    },
    /** A failed message once more, after those that wait. */
    retry(id) {
      const entry = timeline.waiting.find((waiting) => waiting.id === id)
      if (entry === undefined) return
      Object.assign(entry, { state: 'pending', note: undefined })
      timeline.requeue(id)
      changed()
      void pump()
    },
    discard(id) {
      timeline.discard(id)
      changed()
    },
    /** A connection is there again: now, whatever the backoff says. */
    resume,
    close() {
      isClosed = true
      clearTimeout(retryTimer)
    },
  }
}
