/** The known people who must come through a restore whole, though they look like someone who must not. */

import { firstAvatar, type MarketplacePerson } from "./marketplace-person.ts";
import { addEvent, contact, type RowBook } from "./row-book.ts";

/** Was erased forty days ago and came back with the same address: only what is older than the request goes. */
export function returnedPerson(book: RowBook): MarketplacePerson {
  const [id, name, email, phone] = ["14", "Youssef Smit", "y.smit@voorbeeld.example", "0619900014"];
  const at = book.daysAgo(10);
  book.add("users", "kept", { id, name, email, phone, avatar: String(firstAvatar + 3), created_at: book.daysAgo(20) });
  const lead = { ...contact, name, email, phone, status: "new", restricted: "f" };
  const old = book.add("leads", "erased", { ...lead, created_at: book.daysAgo(45) });
  book.add("lead_notes", "erased", { lead_id: old, body: "Nog niet bereikt.", created_at: book.daysAgo(44) });
  book.add("leads", "kept", { ...lead, user_id: id, created_at: at });
  book.add("reviews", "kept", {
    ...contact,
    user_id: id,
    author_name: name,
    rating: "5",
    body: "Weer terug!",
    created_at: at,
  });
  addEvent(book, "kept", { id: 14, email }, at);
  const request = {
    request_id: "0f7e4a52-6c1b-4d0e-9a53-2f4d1a8c0014",
    requested_at: book.at(-40 * 24),
    keys: { account_id: ["9"], email: [email] },
  };
  return {
    role: "returned",
    accountId: 14,
    name,
    emails: [email],
    phone,
    avatar: firstAvatar + 3,
    request,
    released: null,
    rows: book.take(),
  };
}

/** Shares the erased person's name, and nearly the address and the number; has asked for nothing. */
export function namesake(book: RowBook): MarketplacePerson {
  const [id, name, email, phone] = ["15", "Femke de Vries", "femkede.vries@voorbeeld.example", "06-19900015"];
  const at = book.daysAgo(90);
  book.add("users", "kept", {
    id,
    name,
    email,
    phone,
    city: "Delft",
    avatar: String(firstAvatar + 4),
    created_at: book.daysAgo(300),
  });
  book.add("reviews", "kept", {
    ...contact,
    user_id: id,
    author_name: name,
    rating: "5",
    body: `Ook ${name}, maar een ander.`,
    created_at: at,
  });
  const lead = book.add("leads", "kept", {
    ...contact,
    user_id: id,
    name,
    email,
    phone,
    status: "won",
    restricted: "f",
    created_at: at,
  });
  const note = book.add("lead_notes", "kept", { lead_id: lead, body: "Ingeschreven.", created_at: at });
  book.add("lead_note_files", "kept", { note_id: note, file_name: "bewijs.pdf", content: "\\x00ff" });
  book.add("messages", "kept", { ...contact, user_id: id, body: "Tot maandag!", sent_at: at });
  book.add("invoices", "kept", {
    ...contact,
    user_id: id,
    number: "2026-000015",
    billing_name: name,
    billing_email: email,
    amount: "99.50",
    created_at: at,
  });
  addEvent(book, "kept", { id: 15, email }, at);
  return {
    role: "kept",
    accountId: 15,
    name,
    emails: [email],
    phone,
    avatar: firstAvatar + 4,
    request: null,
    released: null,
    rows: book.take(),
  };
}
