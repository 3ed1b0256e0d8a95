// A processor of 16 bits with eight registers, a multiplier, a timer and a serial transmitter.
module cpu(input clk, input reset, input [15:0] code, output [11:0] pc, output reg tx, output [15:0] seen);
    reg [15:0] registers [0:7];
    reg [11:0] counter = 0;
    reg zero = 0, carry = 0;
    wire [3:0] op = code[15:12];
    wire [15:0] a = registers[code[11:9]], b = registers[code[8:6]];
    reg [16:0] result;

    always @(*) case (op)
        4'd0: result = a + b;
        4'd1: result = a - b;
        4'd2: result = {1'b0, a & b};
        4'd3: result = {1'b0, a | b};
        4'd4: result = {1'b0, a ^ b};
        4'd5: result = a * b;
        4'd6: result = {a, 1'b0} << b[3:0];
        4'd7: result = {1'b0, a} >> b[3:0];
        4'd8: result = {11'd0, code[5:0]};
        4'd9: result = {1'b0, {a[7:0], a[15:8]}};
        4'd10: result = {16'd0, a < b};
        4'd11: result = {16'd0, $signed(a) < $signed(b)};
        default: result = {1'b0, a};
    endcase

    always @(posedge clk) begin
        if (reset) begin
            counter <= 0;
            zero <= 0;
            carry <= 0;
        end else begin
            counter <= op == 4'd12 && zero || op == 4'd13 && carry || op == 4'd14 ? code[11:0] : counter + 1;
            if (op < 4'd12) begin
                registers[code[5:3]] <= result[15:0];
                zero <= result[15:0] == 0;
                carry <= result[16];
            end
        end
    end
    assign pc = counter;
    assign seen = registers[7];

    reg [9:0] shift = 10'h3ff;
    reg [7:0] divider = 0;
    always @(posedge clk) begin
        divider <= divider + 1;
        if (op == 4'd15) shift <= {1'b1, a[7:0], 1'b0};
        else if (divider == 0) shift <= {1'b1, shift[9:1]};
        tx <= shift[0];
    end
endmodule
