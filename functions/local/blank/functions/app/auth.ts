import { defineAuth } from '../define.ts'

/** How people sign in. Mails are caught on this machine, and shown at `/_atoll/mail`; what is deployed needs `sendMail`. */
export default defineAuth({})
