/** How many connections of this gateway each user is in rooms with. One connection counts once, whatever number of rooms it is in. */
export interface UserConnections {
  /** Whether a membership over this connection would be one connection too many. */
  isFull(connection: object, user: string): boolean
  add(connection: object, user: string): void
  remove(connection: object, user: string): void
}

/** As whom a member is counted. Without tokens a user is a name. */
export function userOf({ user, name }: { readonly user?: string; readonly name: string }): string {
  return user ?? name
}

/** `max` 0: any number, and nothing is kept. */
export function createUserConnections(max: number): UserConnections {
  /** Memberships of each user by connection: no more than there are members here. */
  const users = new Map<string, Map<object, number>>()

  return {
    isFull(connection, user) {
      const memberships = users.get(user)
      return memberships !== undefined && !memberships.has(connection) && memberships.size >= max
    },
    add(connection, user) {
      if (max === 0) return
      const memberships = users.get(user) ?? new Map<object, number>()
      memberships.set(connection, (memberships.get(connection) ?? 0) + 1)
      users.set(user, memberships)
    },
    remove(connection, user) {
      const memberships = users.get(user)
      const left = (memberships?.get(connection) ?? 0) - 1
      if (memberships === undefined) return
      if (left > 0) memberships.set(connection, left)
      else memberships.delete(connection)
      if (memberships.size === 0) users.delete(user)
    },
  }
}
