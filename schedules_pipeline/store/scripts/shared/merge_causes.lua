-- Merges the causes of an earlier claim with newer ones: the first few in full, and the count of all. Either may be
-- missing.
local function merge_causes(older, newer, kept)
  if not older then return newer end
  if not newer then return older end
  local count_a, list_a = string.match(older, '^(%d+)\n(.*)$')
  local count_b, list_b = string.match(newer, '^(%d+)\n(.*)$')
  local room = kept - tonumber(count_a)
  for cause in string.gmatch(list_b, '[^\n]+') do
    if room <= 0 then break end
    list_a = list_a .. '\n' .. cause
    room = room - 1
  end
  return (tonumber(count_a) + tonumber(count_b)) .. '\n' .. list_a
end
