// Signs in with a link's token from the address's fragment, which browsers do not send and servers do not log. The
// server asks the reader first, unless the link was made on this machine for its own user.
function take() {
  const given = new URLSearchParams(location.hash.slice(1)).get("link");
  if (!given) return;
  history.replaceState(null, "", location.pathname);
  document.getElementById("link").value = given;
  document.getElementById("by-link").submit();
}

// A link from another site, such as Dagster's, arrives without the cookie, which this page's own request carries. The
// part of the link after "#" goes with the reader.
async function goOn(asked) {
  if (!location.hash.startsWith("#link=") && !asked.value.includes("#")) asked.value += location.hash;
  const answer = await fetch(asked.value, { method: "HEAD", redirect: "manual" });
  if (answer.type !== "opaqueredirect" && answer.status !== 401) location.replace(asked.value);
}

addEventListener("hashchange", take);
const asked = document.getElementById("to");
if (asked) goOn(asked);
take();
