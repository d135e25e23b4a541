// Reads an XMLTV file with the parser of Kodi's IPTV Simple Client, and prints a line for each programme.
#include "iptvsimple/data/EpgEntry.h"

#include <fstream>
#include <iostream>
#include <sstream>

int main(int, char** arguments)
{
  std::stringstream text;
  text << std::ifstream(arguments[1]).rdbuf();
  pugi::xml_document document;
  if (!document.load_string(text.str().c_str()))
    return 1;
  for (const auto& programme : document.child("tv").children("programme"))
  {
    iptvsimple::data::EpgEntry entry;
    if (!entry.UpdateFrom(programme, programme.attribute("channel").value(), 0, 0, 0, 0))
      return 2;
    std::cout << entry.GetStartTime() << '|' << entry.GetEndTime() << '|' << entry.GetTitle() << '|'
              << entry.GetEpisodeName() << '|' << entry.GetSeasonNumber() << '|' << entry.GetEpisodeNumber() << '|'
              << entry.IsNew() << '|' << entry.GetParentalRating() << '|' << entry.GetIconPath() << '\n';
  }
}
