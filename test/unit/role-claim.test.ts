import { describe, expect, it } from 'vitest'
import { roleClaimOf } from '../../functions/access/role-claim.ts'

const claims = {
  role: 'plain',
  app_metadata: { 'my role': 'inner', roles: ['x', 'app_user', 'end_app', 7] },
  'https://x.example/role': 'url',
  empty: '',
  list: [['deep']],
}

describe('the path to a role', () => {
  it.each([
    ['.role', 'plain'],
    ['$.role', 'plain'],
    ['.app_metadata."my role"', 'inner'],
    ['.app_metadata["my role"]', 'inner'],
    ['."https://x.example/role"', 'url'],
    ['.app_metadata.roles[1]', 'app_user'],
    ['.list[0][0]', 'deep'],
    ['.app_metadata.roles[?(@ == "x")]', 'x'],
    ['.app_metadata.roles[?(@ != "x")]', 'app_user'],
    ['.app_metadata.roles[?(@ ^== "app_")]', 'app_user'],
    ['.app_metadata.roles[?(@ ==^ "_app")]', 'end_app'],
    ['.app_metadata.roles[?( @ *== "d_a" )]', 'end_app'],
    ['.app_metadata.roles[3]', null],
    ['.app_metadata.roles[?(@ == "y")]', null],
    ['.app_metadata', null],
    ['.nobody.role', null],
    ['.empty', null],
    ['.constructor.name', null],
    ['.role.length', null],
  ])('%s leads to %s', (path, role) => {
    expect(roleClaimOf(path)(claims)).toBe(role)
  })

  it.each(['', 'role', '.', '.role.', '.roles[', '.roles[x]', '.roles[?(@ = "x")]'])('%j is none', (path) => {
    expect(() => roleClaimOf(path)).toThrow(/jwtRoleClaim/)
  })
})
