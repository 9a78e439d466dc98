/**
 * The area's part of `functions/app/config.ts`.
 * @module
 */

/** Realtime. */
export interface RealtimeConfig {
  /** Sockets at a time. Default 10,000. */
  readonly realtimeSockets: number
  /** Sockets of one caller at a time, or of one address where nobody has signed in. Default 200. */
  readonly realtimeSocketsPerCaller: number
  /** Channels of one socket. Default 100. */
  readonly realtimeChannelsPerSocket: number
  /** Joins of one socket in a second. Default 100. */
  readonly realtimeJoinsPerSecond: number
  /** Messages of one socket in a second, heartbeats included. Default 100. */
  readonly realtimeMessagesPerSecond: number
  /** Largest broadcast, and largest presence, in bytes. Default 256,000. */
  readonly realtimeMaxMessageBytes: number
  /** After how long without a heartbeat a socket is closed, in seconds. Default 60. */
  readonly realtimeSilenceSeconds: number
  /** Bytes sent to a socket that it does not seem to read, beyond which it is told to read anew. Default 16,000,000. */
  readonly realtimeMaxUnreadBytes: number
  /** Changes of one database that are told to one who comes back; after more, they read anew. Default 5000. */
  readonly realtimeMaxMissed: number
}

export const realtimeDefaults: RealtimeConfig = {
  realtimeSockets: 10_000,
  realtimeSocketsPerCaller: 200,
  realtimeChannelsPerSocket: 100,
  realtimeJoinsPerSecond: 100,
  realtimeMessagesPerSecond: 100,
  realtimeMaxMessageBytes: 256_000,
  realtimeSilenceSeconds: 60,
  realtimeMaxUnreadBytes: 16_000_000,
  realtimeMaxMissed: 5000,
}
