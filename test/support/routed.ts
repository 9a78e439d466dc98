import { makeRoutedNumber, slotOf } from '../../db/slots/slots.ts'

/** The id of a row with this number and distribution value. The seed's rows have the numbers that Drizzle gave them. */
export function routed(number: number, value: number | string): number {
  return makeRoutedNumber(slotOf(String(value)), number)
}
