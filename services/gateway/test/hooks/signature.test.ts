import { expect, it } from '@jest/globals'
import { parseHookSecrets, signatureHeaders } from '../../src/hooks/signature.ts'

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'
const message = {
  id: 'msg_p5jXN8AQM9LWM0D4loKWxJek',
  timestamp: 1_614_265_330,
  body: '{"test": 2432232314}',
}

it('a request is signed as the example of Standard Webhooks is', () => {
  expect(signatureHeaders(parseHookSecrets(SECRET), message)).toEqual({
    'webhook-id': message.id,
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  })
})

it('by each secret, while one takes the place of another', () => {
  const other = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
  const both = signatureHeaders(parseHookSecrets(`${other}\n${SECRET}\n`), message)
  expect(both['webhook-signature']?.split(' ')).toEqual([
    expect.stringMatching(/^v1,[A-Za-z0-9+/]{43}=$/),
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  ])
})

it.each([
  '',
  'whsec_',
  'whsec_c2hvcnQ=',
  'MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw',
  'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw!',
  `whsec_${Buffer.alloc(65).toString('base64')}`,
])('%j is no secret', (text) => expect(() => parseHookSecrets(text)).toThrow(/secret/))
