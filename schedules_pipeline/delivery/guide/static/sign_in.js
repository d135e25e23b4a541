// Signs in with a link's token from the address's fragment, which browsers do not send and servers do not log. The
// server asks the reader first, unless the link was made on this machine for its own user.
function take() {
  const given = new URLSearchParams(location.hash.slice(1)).get("link");
  if (!given) return;
  history.replaceState(null, "", location.pathname);
  document.getElementById("link").value = given;
  document.getElementById("by-link").submit();
}

addEventListener("hashchange", take);
take();
