/** The known people who asked to be forgotten after the snapshot: their rows are in the backup. */

import { firstAvatar, type MarketplacePerson } from "./marketplace-person.ts";
import { addEvent, contact, type RowBook } from "./row-book.ts";

/** Goes at every distance: by id, by two addresses in other spellings, over three foreign keys below a lead. */
export function erasedPerson(book: RowBook): MarketplacePerson {
  const [id, name, email, unconfirmed, phone] = [
    "11",
    "Femke de Vries",
    "femke.de.vries@voorbeeld.example",
    "femke@b\u00fccher.example",
    "06-19900011",
  ];
  const at = book.daysAgo(90);
  const own = { name, email, phone };
  book.add("users", "erased", {
    id,
    ...own,
    unconfirmed_email: unconfirmed,
    city: "Delft",
    avatar: String(firstAvatar),
    created_at: book.daysAgo(400),
  });
  const body = `Fijne cursus!\nVragen? Bel ${phone} of mail ${email}.\n\nGroet, Femke de Vries`;
  const review = book.add("reviews", "anonymised", {
    ...contact,
    user_id: id,
    author_name: name,
    rating: "5",
    body,
    ip: "192.0.2.11",
    created_at: at,
  });
  book.add("reviews", "anonymised", {
    ...contact,
    user_id: id,
    author_name: "Femke",
    rating: "4",
    body: null,
    ip: null,
    created_at: at,
  });
  book.add("review_replies", "kept", {
    ...contact,
    review_id: review,
    body: "Bedankt voor uw beoordeling.",
    created_at: at,
  });
  const lead = { ...contact, name, status: "new", restricted: "f", created_at: at };
  const first = book.add("leads", "erased", { ...lead, user_id: id, email, phone, message: "Graag een\tofferte." });
  const second = book.add("leads", "erased", { ...lead, email: "Femke.de.Vries@VOORBEELD.example" });
  book.add("leads", "erased", { ...lead, email: "femke@xn--bcher-kva.example", message: "\\." });
  for (const leadId of [first, first, second]) {
    const note = book.add("lead_notes", "erased", {
      lead_id: leadId,
      body: "Teruggebeld; wil in mei beginnen.",
      created_at: at,
    });
    book.add("lead_note_files", "erased", {
      note_id: note,
      file_name: "offerte.pdf",
      content: "\\x255044462d312e340a",
    });
  }
  book.add("messages", "erased", {
    ...contact,
    user_id: id,
    subject: "Parkeren",
    body: `Kan ik parkeren?\r\n-- \r\n${name}`,
    sent_at: at,
  });
  book.add("invoices", "retained", {
    ...contact,
    user_id: id,
    number: "2026-000011",
    billing_name: name,
    billing_email: email,
    amount: "349.00",
    created_at: at,
  });
  addEvent(book, "erased", { id: 11, email }, at);
  addEvent(book, "erased", { id: 11 }, at);
  addEvent(book, "erased", { email: "FEMKE.de.vries@voorbeeld.example" }, at);
  book.add("sessions", "skipped", { token: "s-11", user_id: id, seen_at: at });
  const request = {
    request_id: "0f7e4a52-6c1b-4d0e-9a53-2f4d1a8c0011",
    requested_at: book.at(1),
    keys: { account_id: [id], email: [email], phone: ["+31 6 19900011"] },
    recipients: ["provider-3"],
  };
  const released = { recipients: ["provider-3"], at: book.at(2) };
  const emails = [email, unconfirmed];
  return {
    role: "erased",
    accountId: 11,
    name,
    emails,
    phone,
    avatar: firstAvatar,
    request,
    released,
    rows: book.take(),
  };
}

/** Wants the reviews gone too, not only anonymous; the providers' replies to them go along. */
export function reviewer(book: RowBook): MarketplacePerson {
  const [id, name, email, phone] = ["12", "Sjoerd Dijkstra", "sjoerd@dijkstra.example", "+31619900012"];
  const at = book.daysAgo(30);
  book.add("users", "erased", {
    id,
    name,
    email,
    phone,
    avatar: String(firstAvatar + 1),
    created_at: book.daysAgo(60),
  });
  for (const rating of ["1", "2"]) {
    const review = book.add("reviews", "erased", {
      ...contact,
      user_id: id,
      author_name: name,
      rating,
      body: "Viel tegen.",
      created_at: at,
    });
    book.add("review_replies", "erased", { ...contact, review_id: review, body: "Jammer, Sjoerd!", created_at: at });
  }
  addEvent(book, "erased", { id: 12, email }, at);
  const request = {
    request_id: "0f7e4a52-6c1b-4d0e-9a53-2f4d1a8c0012",
    requested_at: book.at(1.5),
    keys: { account_id: [id], email: [email] },
    scopes: { reviews: "delete" },
  } as const;
  return {
    role: "forgotten_reviews",
    accountId: 12,
    name,
    emails: [email],
    phone,
    avatar: firstAvatar + 1,
    request,
    released: null,
    rows: book.take(),
  };
}

/** The account goes at once; what providers may still fetch stays for thirty days, restricted. */
export function personInTheWindow(book: RowBook): MarketplacePerson {
  const [id, name, email, phone] = ["13", "Noor Bakker", "noor.bakker@post.example", "0619900013"];
  const at = book.daysAgo(3);
  book.add("users", "erased", { id, name, email, phone, avatar: String(firstAvatar + 2), created_at: book.daysAgo(8) });
  book.add("reviews", "anonymised", {
    ...contact,
    user_id: id,
    author_name: name,
    rating: "3",
    body: "Ging wel.",
    created_at: at,
  });
  const lead = book.add("leads", "pending", {
    ...contact,
    user_id: id,
    name,
    email,
    phone,
    status: "sent",
    restricted: "f",
    created_at: at,
  });
  book.add("leads", "pending", {
    ...contact,
    name,
    email: "Noor.Bakker@Post.example",
    status: "new",
    restricted: "f",
    created_at: at,
  });
  const note = book.add("lead_notes", "pending", { lead_id: lead, body: "Mailde om 9:00.", created_at: at });
  book.add("lead_note_files", "pending", { note_id: note, file_name: "cv.pdf", content: "\\x2550" });
  book.add("messages", "erased", { ...contact, user_id: id, body: "Is er nog plek?", sent_at: at });
  addEvent(book, "erased", { id: 13 }, at);
  const request = {
    request_id: "0f7e4a52-6c1b-4d0e-9a53-2f4d1a8c0013",
    requested_at: book.at(0.5),
    keys: { account_id: [id], email: [email] },
    recipients: ["provider-3"],
  };
  return {
    role: "pending",
    accountId: 13,
    name,
    emails: [email],
    phone,
    avatar: firstAvatar + 2,
    request,
    released: null,
    rows: book.take(),
  };
}
