// One schedule: fetches a new version when it is published and replaces the contents.
import { announcer, clock, fetchPart, follow, showState } from "./follow.js";

const RETRY_AFTER = 4000;

const content = document.getElementById("content");
const state = showState();
const announce = announcer();
let timer = 0;

// Not every browser opens the part of the list that contains the broadcast of the address.
document.querySelector(":target")?.closest("details")?.setAttribute("open", "");

function soon(milliseconds = 200) {
  timer ||= setTimeout(refresh, milliseconds);
}

async function refresh() {
  timer = 0;
  try {
    const answer = await fetchPart(location.pathname);
    state.heard(answer);
    swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
  } catch {
    soon(RETRY_AFTER);
  }
}

function swap(fetched) {
  const prints = new Map([...content.querySelectorAll("[data-print]")].map((item) => [item.id, item.dataset.print]));
  const columns = document.importNode(fetched.querySelector(".columns"), true);
  let count = 0;
  for (const item of columns.querySelectorAll("[data-print]")) {
    if (prints.get(item.id) === item.dataset.print) continue;
    item.classList.add("changed");
    count += 1;
  }
  for (const details of columns.querySelectorAll("details[id]")) {
    details.open = document.getElementById(details.id)?.open ?? details.open;
  }
  content.querySelector(".columns").replaceWith(columns);
  announce("schedule", `This schedule has changed at ${clock()}: ${count} programmes.`);
}

follow(content.dataset.stream, {
  changed(row) {
    if (row.sid === content.dataset.sid && row.date === content.dataset.date) soon();
  },
  missed: () => soon(),
  stands: state.stands,
});
