/** The marketplace's policy.yaml: every table classified, every way of this tool to treat a row in use once. */

import { ghostUserId } from "./marketplace-person.ts";

export const marketplacePolicy = `# What happens to whose rows. Written for the made-up marketplace of \`sanitize demo\`; a template for your own.
version: 1
subject: # where identifiers of one person are resolved into each other
  table: public.users
  account_id: id
  email: [email, unconfirmed_email]
  phone: phone
  name: name # what redact: [names] takes out of texts
tables:
  public.users:
    match: { account_id: id, email: [email, unconfirmed_email] }
    scope: identity
    created_at: created_at
    action: delete
    large_objects: [avatar]
    columns: { phone: contact, name: name, city: place } # a new column must be classified before it is restored
  public.reviews: # shared with others: stays, without its author, unless the person asks otherwise
    match: { account_id: user_id }
    scope: reviews
    created_at: created_at
    action: anonymise
    set:
      user_id: { value: ${ghostUserId} }
      author_name: null
      ip: null
      body: { redact: [email, phone, names] }
      created_at: { truncate: month }
  public.review_replies: { via: public.reviews }
  public.leads: # providers have thirty days to fetch what they need
    match: { account_id: user_id, email: email }
    scope: provider_contact
    created_at: created_at
    action: delete
    pending: { set: { user_id: null, restricted: { value: true } } }
  public.lead_notes: { via: public.leads }
  public.lead_note_files: { via: public.lead_notes }
  public.messages: { match: { account_id: user_id }, scope: identity, created_at: sent_at, action: delete }
  public.invoices:
    match: { account_id: user_id, email: billing_email }
    created_at: created_at
    action: retain
    basis: "Art. 17(3)(b) fiscal retention"
    for: 7y
    set: { user_id: null }
  public.events:
    match:
      account_id: { column: payload, path: "$.user.id" }
      email: { column: payload, path: "$.user.email" }
    scope: identity
    created_at: occurred_at
    action: delete
  public.courses: unaffected
  public.providers: unaffected
  public.sessions: skip_data
`;
