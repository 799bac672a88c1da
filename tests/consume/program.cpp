#include <asio/io_context.hpp>
#include <livetape/livetape.hpp>

// Needs the headers, the definitions and the libraries that the target must bring.
int main() {
    asio::io_context io;
    livetape::hub hub;
    livetape::server server{io.get_executor(), hub};
    server.live("/live");
    return hub.open("cpu").publish(R"({"load":0.42})") == 1 ? 0 : 1;
}
