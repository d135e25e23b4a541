// Signs in with a key from the address's fragment, which browsers do not send and servers do not log.
function take() {
  const given = new URLSearchParams(location.hash.slice(1)).get("key");
  if (!given) return;
  history.replaceState(null, "", location.pathname);
  document.getElementById("key").value = given;
  document.getElementById("sign-in").submit();
}

addEventListener("hashchange", take);
take();
