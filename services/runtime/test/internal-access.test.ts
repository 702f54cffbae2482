import { describe, expect, it } from '@jest/globals'
import {
  callerOf,
  createInternalAccess,
  createLog,
  isLoopback,
  parseTokens,
} from '@roomcast/runtime'
import { requireInternal } from '@roomcast/runtime/http-access'
import { createHttpApi } from '@roomcast/runtime/http-api'

const OLD = 'the-old-token-of-all'
const NEW = 'the-new-token-of-all'

describe('internal endpoints', () => {
  it.each([
    ['127.0.0.1', true],
    ['127.8.9.1', true],
    ['::1', true],
    ['::ffff:127.0.0.1', true],
    ['10.0.0.1', false],
    ['::ffff:10.0.0.1', false],
    ['1127.0.0.1', false],
    [undefined, false],
  ])('%s is of this machine: %s', (address, isIt) => expect(isLoopback(address)).toBe(isIt))

  it.each([
    ['without a token', [], '127.0.0.1', {}, 200],
    ['without a token', [], '10.1.2.3', {}, 401],
    ['without a token', [], '10.1.2.3', { 'x-forwarded-for': '127.0.0.1' }, 401],
    ['without a token', [], '10.1.2.3', { forwarded: 'for=127.0.0.1' }, 401],
    ['without a token', [], '127.0.0.1', { 'x-forwarded-for': '10.1.2.3' }, 200],
    ['without a token', [], '10.1.2.3', { 'x-roomcast-token': NEW }, 401],
    ['with tokens', [NEW, OLD], '127.0.0.1', {}, 401],
    ['with tokens', [NEW, OLD], '127.0.0.1', { 'x-forwarded-for': '127.0.0.1' }, 401],
    ['with tokens', [NEW, OLD], '10.1.2.3', { 'x-roomcast-token': NEW }, 200],
    ['with tokens', [NEW, OLD], '10.1.2.3', { 'x-roomcast-token': OLD }, 200],
    ['with tokens', [NEW, OLD], '127.0.0.1', { 'x-roomcast-token': `${OLD}x` }, 401],
  ])('%s %j a caller from %s with %j gets %d', async (_what, tokens, address, headers, status) => {
    const internal = createInternalAccess(() => tokens)
    const api = createHttpApi({
      title: 'Test',
      description: 'An API for tests.',
      log: createLog('test', 'silent'),
    })
    api.get('/internal/x', { onRequest: requireInternal(internal) }, () => ({}))
    const answer = await api.inject({ url: '/internal/x', remoteAddress: address, headers })
    expect(answer.statusCode).toBe(status)
    await api.close()
  })

  it('the first token is presented, and a change is in force at once', () => {
    let tokens = parseTokens(OLD)
    const internal = createInternalAccess(() => tokens)
    const admits = (token: string): boolean =>
      internal.admits(callerOf({ 'x-roomcast-token': token }, { remoteAddress: '10.0.0.1' }))
    expect(internal.headers()).toEqual({ 'x-roomcast-token': OLD })
    expect([admits(OLD), admits(NEW)]).toEqual([true, false])
    tokens = parseTokens(`${NEW}\n${OLD}`)
    expect(internal.headers()).toEqual({ 'x-roomcast-token': NEW })
    expect([admits(OLD), admits(NEW)]).toEqual([true, true])
    tokens = parseTokens(NEW)
    expect([admits(OLD), admits(NEW)]).toEqual([false, true])
  })
})
