/**
 * Errors of files. Where Supabase Storage has a code for one, its clients know it by that.
 * https://supabase.com/docs/guides/storage/debugging/error-codes
 * @module
 */
import { AtollError, clip } from '../../db/errors/atoll-error.ts'
import { errors as coreErrors } from '../core/errors.ts'

export const errors = {
  ...coreErrors,
  noBucket: () => new AtollError(404, 'NoSuchBucket', 'Bucket not found'),
  noObject: () => new AtollError(404, 'NoSuchKey', 'Object not found'),
  bucketExists: () => new AtollError(409, 'BucketAlreadyExists', 'The resource already exists'),
  objectExists: () =>
    new AtollError(409, 'ResourceAlreadyExists', 'The resource already exists', {
      hint: 'Send x-upsert: true to replace it.',
    }),
  objectTooLarge: (max: number) =>
    new AtollError(413, 'EntityTooLarge', 'The object exceeded the maximum allowed size', {
      details: `At most ${max} bytes.`,
    }),
  mimeNotAllowed: (mime: string) =>
    new AtollError(415, 'InvalidMimeType', `mime type ${clip(mime, 100)} is not supported`),
  invalidBucketName: () =>
    new AtollError(400, 'InvalidBucketName', 'Bucket name invalid', {
      details:
        'It is up to 100 letters, digits, points, hyphens and underscores, the first a letter or digit.',
    }),
  invalidObjectName: (details: string) => new AtollError(400, 'InvalidKey', 'Invalid key', { details }),
  storageDenied: (signedIn: boolean) =>
    new AtollError(signedIn ? 403 : 401, 'AccessDenied', 'new row violates row-level security policy', {
      headers: signedIn ? {} : { 'WWW-Authenticate': 'Bearer' },
    }),
  bucketNotEmpty: () => new AtollError(409, 'InvalidRequest', 'The bucket you tried to delete is not empty'),
  invalidStorageRequest: (details: unknown) =>
    new AtollError(400, 'InvalidRequest', 'The request to /storage/v1 is not understood', { details }),
  badSignature: (details: string) =>
    new AtollError(400, 'InvalidSignature', 'The signed address is not valid', { details }),
  checksumMismatch: (algorithm: string) =>
    new AtollError(400, 'InvalidChecksum', `The bytes do not have the ${algorithm} checksum that was sent`),
  noFiles: () =>
    new AtollError(501, 'STORE015', 'Files need R2', { hint: 'Bind a bucket as BUCKET in wrangler.toml.' }),
  notTransformed: () =>
    new AtollError(501, 'STORE016', 'Images are not transformed', {
      hint: 'Bind Cloudflare Images as IMAGES in wrangler.toml.',
    }),
  badRange: (size: number) =>
    new AtollError(416, 'InvalidRange', 'The range is beyond the object', {
      headers: { 'Content-Range': `bytes */${size}` },
    }),
  noUpload: () => new AtollError(404, 'NoSuchUpload', 'There is no such upload, or it has expired'),
  uploadOffset: (offset: number) =>
    new AtollError(409, 'STORE020', 'The upload goes on elsewhere', {
      headers: { 'Upload-Offset': String(offset) },
    }),
  uploadLocked: () =>
    new AtollError(423, 'ResourceLocked', 'The upload is being written by another request', {
      headers: { 'Retry-After': '1' },
    }),
  /** Its own status in tus. */
  uploadChecksum: () => new AtollError(460, 'STORE022', 'Checksum Mismatch'),
  tusVersion: () =>
    new AtollError(412, 'STORE023', 'Tus-Resumable must be 1.0.0', { headers: { 'Tus-Version': '1.0.0' } }),
  tusType: (type: string) => new AtollError(415, 'STORE024', `The content type of bytes is ${type}`),
  declaredBucket: (name: string) =>
    new AtollError(409, 'STORE018', `The bucket ${name} is declared in db/app/storage.ts`, {
      hint: 'Change it there.',
    }),
  noRoomForUpload: () =>
    new AtollError(503, 'BOUND032', 'There is no room for the bytes of this upload at the moment', {
      hint: 'What came is kept: ask with HEAD how much that is, and go on there.',
      headers: { 'Retry-After': '2' },
    }),
  tooManyUploads: (max: number) =>
    new AtollError(429, 'BOUND033', `At most ${max} uploads of a caller may be unfinished at a time`, {
      hint: 'Finish or delete (DELETE) some of them, or wait until they expire. Configuration: unfinishedUploads.',
      headers: { 'Retry-After': '60' },
    }),
}
