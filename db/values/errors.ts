/**
 * What is wrong with texts of ranges, in PostgreSQL's words.
 * @module
 */
import { AtollError, clip } from '../errors/atoll-error.ts'

export const errors = {
  malformedRange: (text: string, details: string) =>
    new AtollError(400, '22P02', `malformed range literal: "${clip(text)}"`, { details }),
  boundsReversed: () =>
    new AtollError(400, '22000', 'range lower bound must be less than or equal to range upper bound'),
  invalidText: (type: string, text: string) =>
    new AtollError(400, '22P02', `invalid input syntax for type ${type}: "${clip(text)}"`),
  invalidTime: (type: string, text: string) =>
    new AtollError(400, '22007', `invalid input syntax for type ${type}: "${clip(text)}"`),
  timeOutOfRange: (text: string) =>
    new AtollError(400, '22008', `date/time field value out of range: "${clip(text)}"`),
  zoneOutOfRange: (text: string) =>
    new AtollError(400, '22009', `time zone displacement out of range: "${clip(text)}"`),
  outOfRange: (type: string, text: string, hint?: string) =>
    new AtollError(
      400,
      '22003',
      `value "${clip(text)}" is out of range for type ${type}`,
      hint === undefined ? {} : { hint },
    ),
  noNext: (type: string) => new AtollError(400, '22003', `${type} out of range`),
}
