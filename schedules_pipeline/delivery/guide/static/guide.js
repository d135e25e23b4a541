// The grid: the line that marks the present, keys, details in a dialog, and rows that update.
import { announcer, clock, fetchPart, follow, parse, showState } from "./follow.js";

const CHANGED_FOR = 90000;
const COLLECT_FOR = 200;
const ROWS_AT_ONCE = 30;
const RELOAD_AFTER = 2000;
const RETRY_AFTER = 4000;
const LOOK_EVERY = 60000;

const content = document.getElementById("content");
const grid = document.getElementById("grid");
const empty = document.getElementById("empty");
const scroller = document.getElementById("scroller");
const state = showState();
const announce = announcer();

// Now

const began = grid ? Number(grid.dataset.now) * 1000 - Date.now() : 0;
const length = grid ? Number(grid.dataset.minutes) : 0;

function minutesNow() {
  return ((Date.now() + began) / 1000 - Number(grid.dataset.starts)) / 60;
}

function moveNow() {
  const now = minutesNow();
  const layers = grid.querySelector(".layers");
  layers.hidden = !(now >= 0 && now < length);
  if (now >= length && grid.dataset.opens === "now") location.reload();
  document.getElementById("to-now").hidden = layers.hidden;
  if (layers.hidden) return;
  layers.style.setProperty("--at-h", 0);
  layers.style.setProperty("--at-m", now.toFixed(2));
  for (const row of grid.querySelectorAll(".row[data-sid]")) markNow(row, now);
}

// On another day, the marks of the service stay.
function markNow(row, now) {
  if (now < 0 || now >= length) return;
  let near = 2;
  for (const block of row.querySelectorAll(".block")) {
    const ends = Number(block.dataset.end);
    block.classList.toggle("is-on-air", Number(block.dataset.at) <= now && now < ends);
    block.classList.toggle("is-near", ends > now && near-- > 0);
  }
  for (const gap of row.querySelectorAll(".gap")) {
    gap.classList.toggle("is-near", Number(gap.dataset.at) <= now && now < Number(gap.dataset.end));
  }
}

function scrollTo(minute, behavior = "auto") {
  const strip = grid.querySelector(".axis .strip");
  const place = (minute / length) * strip.offsetWidth;
  const view = scroller.clientWidth - strip.offsetLeft;
  // A place near the beginning is in view without scrolling. Otherwise the view begins at a whole hour, where few
  // titles are cut.
  const hour = (60 / length) * strip.offsetWidth;
  const left = place < 0.75 * view ? 0 : Math.floor((place - 0.2 * view) / hour) * hour;
  scroller.scrollTo({ left, behavior });
}

// The block that crosses the left edge of what is in view; with its neighbours, if programmes overlap.
function keepTitles(row, edge) {
  for (const block of row.querySelectorAll(".block")) {
    const at = Number(block.dataset.at);
    block.classList.toggle("is-cut", at < edge && edge < Number(block.dataset.end));
  }
}

function firstMinute() {
  return (scroller.scrollLeft / grid.querySelector(".axis .strip").offsetWidth) * length;
}

let edge = 0;
let frame = 0;

function onScroll() {
  frame ||= requestAnimationFrame(() => {
    frame = 0;
    const first = Math.round(firstMinute());
    if (first === edge) return;
    edge = first;
    for (const row of grid.querySelectorAll(".row[data-sid]")) keepTitles(row, edge);
  });
}

function goToNow() {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  scrollTo(minutesNow(), still ? "auto" : "smooth");
  const block = grid.querySelector(".block.is-on-air a");
  if (block) rove(block, { preventScroll: true });
}

// Keys. Tab reaches one link of the grid, and the arrow keys move it.

let place = null;
let column = 0;

function linksOf(row) {
  return [...row.querySelectorAll("a")].filter((link) => link.checkVisibility());
}

function settle(link) {
  if (place) place.tabIndex = -1;
  place = link;
  place.tabIndex = 0;
}

function rove(link, options) {
  settle(link);
  link.focus(options);
}

function takeOutOfTabOrder(part) {
  for (const link of part.querySelectorAll(".row[data-sid] a, :scope > .head a, :scope > .strip a")) link.tabIndex = -1;
}

function spanOf(link) {
  const { at, end } = link.closest(".cell")?.dataset ?? {};
  return [Number(at ?? -1), Number(end ?? 0)];
}

function besides(link, step) {
  const links = linksOf(link.closest(".row"));
  return links[links.indexOf(link) + step];
}

function neighbour(row, step) {
  let next = row;
  do next = step > 0 ? next.nextElementSibling : next.previousElementSibling;
  while (next && !next.dataset.sid);
  return next;
}

function above(link, step) {
  const row = neighbour(link.closest(".row"), step);
  if (!row) return null;
  const links = linksOf(row);
  if (column < 0) return links[0];
  return links.find((other) => spanOf(other)[1] > column && other.closest(".cell")) ?? links.at(-1);
}

function keepColumn(link) {
  const [at, end] = spanOf(link);
  // For a programme on air the column is the present, so that up and down stay at the line.
  const now = minutesNow();
  column = at <= now && now < end ? now : at;
}

// Not every screen reader says the name of the row that an arrow key leads to. Set before the key is pressed, because
// a description that changes with the focus is said twice.
let described = [];

function describeOthers(link) {
  for (const other of described) if (other !== link) other.removeAttribute("aria-description");
  const others = [above(link, -1), above(link, 1)].filter((other) => other?.closest(".cell"));
  for (const other of others) other.setAttribute("aria-description", other.closest(".row").querySelector(".head a").textContent);
  described = [link, ...others];
}

const MOVES = {
  ArrowLeft: (link) => besides(link, -1),
  ArrowRight: (link) => besides(link, 1),
  ArrowUp: (link) => above(link, -1),
  ArrowDown: (link) => above(link, 1),
  Home: (link) => linksOf(link.closest(".row"))[0],
  End: (link) => linksOf(link.closest(".row")).at(-1),
};

function onGridKey(event) {
  const link = event.target.closest?.(".row[data-sid] a");
  const move = MOVES[event.key];
  if (!link || !move || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
  event.preventDefault();
  const next = move(link);
  if (!next) return;
  rove(next, { preventScroll: true });
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
  if (event.key !== "ArrowUp" && event.key !== "ArrowDown") keepColumn(next);
  describeOthers(next);
}

// Focus from any source: keys, mouse or script.
function onGridFocus(event) {
  const link = event.target.closest(".row[data-sid] a");
  if (!link || link === place) return;
  settle(link);
  describeOthers(link);
}

function onPageKey(event) {
  const typing = event.target.closest("input, select, textarea, dialog");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  const action = { "/": () => document.getElementById("search").select(), n: grid && goToNow, "?": showKeys }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
  if (event.key === "/") document.getElementById("search").focus();
}

function showKeys() {
  document.getElementById("keys").showModal();
}

// Details

async function openDetails(link) {
  const [sid, date] = link.pathname.split("/").slice(2);
  const query = new URLSearchParams({ sid, date, pid: link.hash.slice(3) });
  try {
    const answer = await fetchPart(`/guide/broadcast?${query}`);
    document.getElementById("broadcast-body").replaceChildren(parse(await answer.text()));
    document.getElementById("broadcast").showModal();
  } catch {
    location.assign(link.href);
  }
}

function onGridClick(event) {
  const link = event.target.closest(".block a");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  settle(link);
  keepColumn(link);
  openDetails(link);
}

// Changes

const waiting = new Set();
let timer = 0;
let reloading = 0;
let panelIsOld = false;

function soon(milliseconds = COLLECT_FOR) {
  timer ||= setTimeout(refresh, milliseconds);
}

function onChange(row) {
  panelIsOld = true;
  if (!row.removed && isAwaited(row.date)) reload();
  if (grid?.dataset.dates.split(" ").includes(row.date) && rowOf(row.sid)) waiting.add(row.sid);
  soon();
}

// A page without rows names the dates whose first schedule would give it some; without a name, any would.
function isAwaited(date) {
  const dates = empty?.dataset.dates;
  return dates !== undefined && (dates === "" || dates.split(" ").includes(date));
}

// Services may have been added or removed, so rows alone are not enough.
function onMissed() {
  reload();
}

// One reload for many changes: the first schedules are often published together.
function reload() {
  reloading ||= setTimeout(() => location.reload(), RELOAD_AFTER);
}

function rowOf(sid) {
  return grid.querySelector(`.row[data-sid="${CSS.escape(sid)}"]`);
}

async function refresh() {
  try {
    if (waiting.size) await refreshRows([...waiting].slice(0, ROWS_AT_ONCE));
    if (panelIsOld) await refreshPanel();
    timer = 0;
    if (waiting.size || panelIsOld) soon();
  } catch {
    timer = 0;
    soon(RETRY_AFTER);
  }
}

async function refreshRows(sids) {
  const query = new URLSearchParams(sids.map((sid) => ["sid", sid]));
  for (const sid of sids) waiting.delete(sid);
  try {
    const rows = parse(await fetchText(`${grid.dataset.rows}&${query}`));
    for (const row of [...rows.querySelectorAll(".row")]) swapRow(rowOf(row.dataset.sid), row);
  } catch (error) {
    for (const sid of sids) waiting.add(sid);
    throw error;
  }
}

async function fetchText(address) {
  const answer = await fetchPart(address);
  state.heard(answer);
  return answer.text();
}

function printsOf(row) {
  return new Map([...row.querySelectorAll(".block")].map((block) => [block.dataset.pid, block]));
}

function swapRow(before, after) {
  const known = printsOf(before);
  const isHere = before.contains(document.activeElement);
  const wasPlace = place && before.contains(place) ? place : null;
  let count = 0;
  for (const [pid, block] of printsOf(after)) {
    const old = known.get(pid);
    known.delete(pid);
    if (old?.dataset.print === block.dataset.print) {
      if (old.classList.contains("changed")) mark(block);
      continue;
    }
    count += 1;
    mark(block);
  }
  count += known.size;
  takeOutOfTabOrder(after);
  before.replaceWith(after);
  markNow(after, minutesNow());
  keepTitles(after, edge);
  if (wasPlace) keepPlace(after, wasPlace, isHere);
  if (count) tell(after, count);
}

function mark(block) {
  block.classList.add("changed");
  setTimeout(() => block.classList.remove("changed"), CHANGED_FOR);
}

function keepPlace(row, link, isHere) {
  const pid = link.closest(".cell")?.dataset.pid;
  const same = pid && row.querySelector(`.block[data-pid="${CSS.escape(pid)}"] a`);
  const at = spanOf(link)[0];
  const next = same || linksOf(row).find((other) => spanOf(other)[1] > at) || row.querySelector("a");
  settle(next);
  if (isHere) next.focus({ preventScroll: true });
}

function tell(row, count) {
  const name = row.querySelector(".head a").textContent;
  row.querySelector(".stamp").textContent = `changed ${clock()}`;
  announce(row.dataset.sid, `${name}: ${count} ${count === 1 ? "programme" : "programmes"} changed.`);
}

let seen = new Map();

// An item is new for a while after it first appears; items of the initial page never are.
function markNew(list, firstSeen = Date.now()) {
  const items = [...list.querySelectorAll("li[data-at]")];
  seen = new Map(items.map((item) => [item.textContent, seen.get(item.textContent) ?? firstSeen]));
  for (const item of items) item.classList.toggle("new", Date.now() - seen.get(item.textContent) < CHANGED_FOR);
}

// What the reader has opened, and where the focus is, in a list that is about to be replaced by a newer one.
function whatIsUsed(list) {
  const link = (element) => element.closest("li[data-at]")?.querySelector("a").getAttribute("href");
  const item = (later, href) => later.querySelector(`a[href="${CSS.escape(href ?? "")}"]`)?.closest("li[data-at]");
  const opened = [...list.querySelectorAll("details[open]")].map(link);
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  return (later) => {
    for (const href of opened) item(later, href)?.querySelector("details")?.setAttribute("open", "");
    if (focused) item(later, link(focused))?.querySelector(focused.localName)?.focus({ preventScroll: true });
  };
}

async function refreshPanel() {
  panelIsOld = false;
  try {
    const list = parse(await fetchText("/guide/changes")).firstElementChild;
    const before = document.getElementById("changes");
    markNew(list);
    const keep = whatIsUsed(before);
    before.replaceWith(list);
    keep(list);
  } catch (error) {
    panelIsOld = true;
    throw error;
  }
}

// Begin

markNew(document.getElementById("changes"), 0);
document.addEventListener("keydown", onPageKey);
document.getElementById("show-keys")?.addEventListener("click", showKeys);

if (grid) {
  takeOutOfTabOrder(grid);
  // The keys move through the grid itself.
  scroller.removeAttribute("tabindex");
  moveNow();
  setInterval(moveNow, 15000);
  const first = grid.querySelector(".block.is-near a") ?? grid.querySelector(".row[data-sid] a");
  if (first) {
    settle(first);
    keepColumn(first);
    describeOthers(first);
  }
  if (!location.hash) scrollTo(Number(grid.dataset.focus));
  scroller.addEventListener("scroll", onScroll, { passive: true });
  grid.addEventListener("keydown", onGridKey);
  grid.addEventListener("focusin", onGridFocus);
  grid.addEventListener("click", onGridClick);
  document.getElementById("to-now").addEventListener("click", (event) => {
    event.preventDefault();
    goToNow();
  });
}

follow(content.dataset.stream, { changed: onChange, missed: onMissed, stands: state.stands });
setInterval(() => {
  panelIsOld = true;
  if (!document.hidden) soon();
}, LOOK_EVERY);
