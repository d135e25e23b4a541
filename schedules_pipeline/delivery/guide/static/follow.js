// Follows the change feed over server-sent events, and reports the state of the connection.
//
// follow(since, listener): since is a cursor; the listener has
//   changed(row)  a schedule was published or removed,
//   missed()      changes were missed: the page must be fetched again,
//   stands(state) "live" or "lost".
const FIRST_PAUSE = 2000;
const LONGEST_PAUSE = 30000;

export function follow(since, listener) {
  let cursor = since;
  let pause = FIRST_PAUSE;
  let source = null;
  let timer = 0;

  function open() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(`/v1/changes/stream${cursor ? `?since=${encodeURIComponent(cursor)}` : ""}`);
    source.addEventListener("open", () => {
      pause = FIRST_PAUSE;
      listener.stands("live");
    });
    source.addEventListener("change", (event) => {
      cursor = event.lastEventId;
      listener.changed(JSON.parse(event.data));
    });
    source.addEventListener("reset", beginAnew);
    source.addEventListener("error", () => {
      listener.stands("lost");
      // The browser reopens an interrupted stream, but not one that the service rejected.
      if (source.readyState === EventSource.CLOSED) askWhy();
    });
  }

  function beginAnew() {
    source.close();
    cursor = "";
    listener.missed();
    later();
  }

  function later() {
    clearTimeout(timer);
    timer = setTimeout(open, pause);
    pause = Math.min(2 * pause, LONGEST_PAUSE);
  }

  async function askWhy() {
    try {
      const answer = await fetch(`/v1/changes?limit=1&since=${encodeURIComponent(cursor)}`);
      if (answer.status === 401) location.reload();
      else if (answer.status === 410) beginAnew();
      else later();
    } catch {
      later();
    }
  }

  // A hidden page closes its connection; it continues from its cursor when it is visible again.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(timer);
      source.close();
    } else {
      open();
    }
  });

  open();
}

// The light in the masthead. "Stale", reported by the service, takes precedence over the state of the connection.
export function showState() {
  const box = document.getElementById("state");
  const text = document.getElementById("state-text");
  let stands = "";
  let staleSince = box.dataset.state === "stale" ? text.textContent : "";

  function render() {
    const state = stands === "lost" ? "lost" : staleSince ? "stale" : stands || box.dataset.state;
    if (box.dataset.state === state && state !== "stale") return;
    box.dataset.state = state;
    if (state === "live") text.textContent = "Following changes";
    if (state === "lost") text.textContent = `Not connected since ${clock()}; trying again`;
    if (state === "stale") text.textContent = staleSince;
  }

  return {
    stands(state) {
      stands = state;
      render();
    },
    // Every answer has the time of the store's last confirmation.
    heard(answer) {
      const asOf = answer.headers.get("Schedules-As-Of");
      staleSince = answer.headers.get("Schedules-Stale") && asOf ? `Stale: the store last answered at ${clock(new Date(asOf))}` : "";
      render();
    },
  };
}

// Announces changes to screen readers, at a limited rate.
export function announcer(between = 4000) {
  const box = document.getElementById("announcer");
  const waiting = new Map();
  let timer = 0;

  function speak() {
    timer = 0;
    if (!waiting.size) return;
    const few = [...waiting.values()].slice(0, 3).join(" ");
    box.textContent = waiting.size > 3 ? `${waiting.size} services have changed.` : few;
    waiting.clear();
    timer = setTimeout(speak, between);
  }

  return (about, text) => {
    waiting.set(about, text);
    timer ||= setTimeout(speak, 300);
  };
}

export function clock(at = new Date()) {
  return at.toLocaleTimeString("en-GB");
}

// A part of a page, or a page. Where the session has ended, the reader signs in and comes back.
export async function fetchPart(address) {
  const answer = await fetch(address);
  if (answer.redirected) location.reload();
  if (!answer.ok || answer.redirected) throw new Error(`${address}: ${answer.status}`);
  return answer;
}

export function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}
