declare module 'socket.io-client-v2' {
  /** The client of Socket.IO 2, which came without types: what the tests use of it is the same in version 4. */
  export default function io(url: string, options: object): unknown
}
